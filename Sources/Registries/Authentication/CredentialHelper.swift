import Glibc
import Linux
import OCI
import SystemPackage

/// A program that keeps credentials: `docker-credential-NAME`.
///
/// It is a child made by posix_spawn(3), since there may be other threads by now.
///
/// - Note: docker-credential-helpers, "Development".
struct CredentialHelper {
    /// What comes after `docker-credential-`.
    let name: String

    private struct Answer: JSONMappable {
        var user = ""
        var secret = ""

        mutating func map(_ fields: JSONFields) {
            fields.required("Username", &user)
            fields.required("Secret", &secret)
        }
    }

    private struct Question: JSONMappable {
        var server = ""
        var user = ""
        var secret = ""

        mutating func map(_ fields: JSONFields) {
            fields.required("ServerURL", &server)
            fields.required("Username", &user)
            fields.required("Secret", &secret)
        }
    }

    /// - Returns: `nil` if it has none for `server`.
    func get(_ server: String) throws(Failure) -> Credentials? {
        let (status, output) = try run("get", input: Array(server.utf8))
        guard status == 0 else {
            let text = String(decoding: output, as: UTF8.self)
            if text.contains("credentials not found") { return nil }
            throw failure(text)
        }
        let answer: Answer
        do throws(SpecError) {
            answer = try Answer(json: output)
        } catch {
            throw failure("its answer: \(error)")
        }
        if answer.user == "<token>" { return .identityToken(answer.secret) }
        return answer.user.isEmpty ? nil : .password(user: answer.user, password: answer.secret)
    }

    func store(_ server: String, user: String, password: String) throws(Failure) {
        let question = Question(server: server, user: user, secret: password)
        let (status, output) = try run("store", input: question.json())
        guard status == 0 else { throw failure(String(decoding: output, as: UTF8.self)) }
    }

    /// - Returns: Whether it had any.
    func erase(_ server: String) throws(Failure) -> Bool {
        let (status, output) = try run("erase", input: Array(server.utf8))
        guard status != 0 else { return true }
        let text = String(decoding: output, as: UTF8.self)
        if text.contains("credentials not found") { return false }
        throw failure(text)
    }

    private var program: String { "docker-credential-\(name)" }

    private func failure(_ text: String) -> Failure {
        let line = text.split(separator: "\n").first.map { String($0.prefix(200)) } ?? "it failed"
        return Failure("credential helper", program, line)
    }

    /// The most bytes that it may answer.
    private static let outputLimit = 1 << 20

    private func run(_ action: String, input: [UInt8]) throws(Failure) -> (status: CInt, output: [UInt8]) {
        // From a file on disk, which may be somebody else's: it must not lead to another program.
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")) else {
            throw Failure("credential helper", program, "not a program's name")
        }
        do throws(SystemCallError) {
            let question = try FileDescriptor.makePipe()
            let answer = try FileDescriptor.makePipe()
            defer { answer.read.closeQuietly() }
            let pid: pid_t
            do throws(SystemCallError) {
                defer {
                    question.read.closeQuietly()
                    answer.write.closeQuietly()
                }
                pid = try spawn(action, input: question.read, output: answer.write)
            } catch {
                question.write.closeQuietly()
                throw error
            }
            // One that ends without having read it must not end this process, too.
            let before = signal(SIGPIPE, SIG_IGN)
            // `try?`: one that does not read its question says in its own words why.
            try? question.write.writeFully(input)
            signal(SIGPIPE, before)
            question.write.closeQuietly()
            let output = Result { () throws(SystemCallError) in try answer.read.readAll(limit: Self.outputLimit) }
            if case .failure = output { kill(pid, SIGKILL) }
            var status: CInt = 0
            try check("waitpid") { waitpid(pid, &status, 0) }
            return (status, try output.get())
        } catch {
            let isMissing = error.errno == .noSuchFileOrDirectory
            throw Failure(
                "credential helper", program,
                isMissing ? "there is no such program" : "\(error.call): \(error.errno.reason)",
                remedy: isMissing ? "install it, or remove it from the file with the credentials" : nil)
        }
    }

    private func spawn(
        _ action: String, input: FileDescriptor, output: FileDescriptor
    ) throws(SystemCallError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.rawValue, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output.rawValue, STDOUT_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Ignored here as soon as there are connections.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = [strdup(program), strdup(action), nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, program, &actions, &attributes, &words, environ)
        guard error == 0 else { throw SystemCallError("posix_spawn", "'\(program)'", Errno(rawValue: error)) }
        return pid
    }
}
