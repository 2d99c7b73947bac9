import Dispatch
import Images
import Linux
import Synchronization

/// How registries are spoken to.
public struct RegistryOptions: Sendable {
    /// The file with credentials, in place of the usual ones.
    public var authFile: String?
    public var timeouts = TransportTimeouts()
    public var retries = RetryPolicy()
    /// In place of the machine's and the user's: files as `registries.conf`, the later ones override.
    public var configurationFiles: [String]?
    /// In place of this process' own environment, for what it says of proxies.
    public var environment: [String: String]?
    /// In place of the machine's and the user's: where directories `HOST[:PORT]` with certificates are.
    public var certificateDirectories: [String]?

    public init() {}
}

/// All connections of one command, and what is known of how to make them.
final class RegistrySession: Sendable {
    let configuration: RegistriesConfiguration
    let credentials: CredentialFiles
    let transport: Transport
    private let options: RegistryOptions
    private let clients = Mutex<[RegistriesConfiguration.Place: RegistryClient]>([:])

    init(_ options: RegistryOptions) throws(Failure) {
        // Without the names that users have chosen: here each name has its registry.
        if let files = options.configurationFiles {
            configuration = try RegistriesConfiguration(paths: files)
        } else {
            configuration = try RegistriesConfiguration(paths: try RegistriesConfiguration.paths(variable(of:)))
        }
        credentials = CredentialFiles(authFile: options.authFile)
        self.options = options
        let proxies: ProxySettings
        if let environment = options.environment {
            proxies = try ProxySettings { environment[$0] }
        } else {
            proxies = try ProxySettings()
        }
        transport = Transport(timeouts: options.timeouts, proxies: proxies)
    }

    /// The registry at `place`, with the credentials for the repository there.
    func client(for place: RegistriesConfiguration.Place) throws(Failure) -> RegistryClient {
        if let known = clients.withLock({ $0[place] }) { return known }
        let name = place.repository.isEmpty ? place.host : "\(place.host)/\(place.repository)"
        let client = self.client(for: place, credentials: try credentials.credentials(for: name))
        return clients.withLock { clients in
            clients[place] = clients[place] ?? client
            return clients[place] ?? client
        }
    }

    /// As `client(for:)`, with credentials that are in no file.
    func client(for place: RegistriesConfiguration.Place, credentials: Credentials?) -> RegistryClient {
        RegistryClient(
            host: place.host, isInsecure: place.isInsecure, credentials: credentials, transport: transport,
            retries: options.retries,
            trust: ServerTrust(
                authority: place.host, isInsecure: place.isInsecure,
                directories: options.certificateDirectories ?? ServerTrust.directories()))
    }

    /// Calls `body` with a session, on other threads, and waits until it has ended and all connections are closed.
    static func run<Value: Sendable>(
        _ options: RegistryOptions, _ body: @escaping @Sendable (RegistrySession) async throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let session = try RegistrySession(options)
        let outcome = Outcome<Value>()
        Task.detached(executorPreference: OwnThreads.shared) {
            do throws(Failure) {
                outcome.set(.success(try await body(session)))
            } catch {
                outcome.set(.failure(error))
            }
            await session.transport.shutdown()
            outcome.done.signal()
        }
        return try outcome.wait().get()
    }
}

/// Threads for tasks, apart from those of Swift's own executor: whoever waits for a session may be one of the latter.
private final class OwnThreads: TaskExecutor {
    static let shared = OwnThreads()

    private let queue = DispatchQueue(label: "registries", attributes: .concurrent)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// What comes of something on another thread.
private final class Outcome<Value: Sendable>: Sendable {
    let done = DispatchSemaphore(value: 0)
    private let result = Mutex<Result<Value, Failure>>(.failure(Failure("registry", "", "given up")))

    func set(_ result: Result<Value, Failure>) { self.result.withLock { $0 = result } }

    func wait() -> Result<Value, Failure> {
        done.wait()
        return result.withLock { $0 }
    }
}

/// Calls `body` on a thread of its own: it may block, and those that serve async code are few.
func onOwnThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws(Failure) -> Value
) async throws(Failure) -> Value {
    let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
        DispatchQueue.global().async { continuation.resume(returning: Result(catching: body)) }
    }
    return try result.get()
}

extension RequestFailure {
    /// As the user reads it.
    ///
    /// - Parameters:
    ///   - step: What was to be done: `pull`.
    ///   - image: Its name.
    ///   - what: Of the image, what it was about: `layer 2 of 4 (3f4a1c2b9d0e)`.
    func failure(_ step: String, _ image: String, _ what: String) -> Failure {
        Failure(step, image, what.isEmpty ? reason : "\(what): \(reason)", remedy: remedy)
    }
}
