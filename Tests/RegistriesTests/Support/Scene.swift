import Glibc
import Images
import Linux
import Registries
import SystemPackage
import Testing

/// A store of its own and no configuration of this machine's.
final class Scene {
    let directory: String
    let store: ImageStore
    /// Whether servers are given up soon, since they stall on purpose.
    var isHurried = false

    init() throws {
        var template = Array("/tmp/apus-registries-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template))
        store = try ImageStore(path: "\(directory)/images")
    }

    deinit {
        let slash = directory.lastIndex(of: "/")!
        // `try?`: a test that fails must not fail again for what it leaves.
        guard let parent = try? FileDescriptor.workingDirectory.open(String(directory[..<slash])) else { return }
        try? parent.removeTree(String(directory[directory.index(after: slash)...]))
        parent.closeQuietly()
    }

    /// Impatient, and without files of this machine.
    var options: RegistryOptions {
        var options = RegistryOptions()
        if isHurried {
            options.timeouts.stall = .milliseconds(500)
            options.timeouts.answer = .seconds(1)
        }
        options.authFile = "\(directory)/auth.json"
        options.configurationFiles = ["\(directory)/registries.conf"]
        options.certificateDirectories = ["\(directory)/certs.d"]
        options.retries.firstWait = .milliseconds(1)
        options.retries.longestWait = .milliseconds(5)
        options.retries.attempts = 3
        return options
    }

    func write(_ text: String, to name: String) throws {
        let path = "\(directory)/\(name)"
        let slash = path.lastIndex(of: "/")!
        try FileDescriptor.workingDirectory.makeDirectories(String(path[..<slash]))
        let file = try FileDescriptor.workingDirectory.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        defer { file.closeQuietly() }
        try file.writeFully(Array(text.utf8))
    }

    func contents(_ name: String) throws -> String {
        String(
            decoding: try FileDescriptor.workingDirectory.contents(of: "\(directory)/\(name)", limit: 1 << 20),
            as: UTF8.self)
    }

    @discardableResult
    func pull(_ name: String, _ change: (inout PullOptions) -> Void = { _ in }) throws -> PullResult {
        var options = PullOptions()
        options.registry = self.options
        change(&options)
        return try Pull.run(try ImageReference(name), options: options, store: store, progress: SilentProgress())
    }

    /// What a pull fails with.
    func failure(pulling name: String, _ change: (inout PullOptions) -> Void = { _ in }) -> String {
        do {
            try pull(name, change)
            return "no failure"
        } catch {
            return "\(error)"
        }
    }

    /// Whether no image, no layer and no blob but whole ones is in the store.
    func expectNothingBroken(sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try store.list().isEmpty, sourceLocation: sourceLocation)
        let layers = try FileDescriptor.workingDirectory.open("\(directory)/images/layers")
        defer { layers.closeQuietly() }
        #expect(try layers.entries().isEmpty, sourceLocation: sourceLocation)
        let blobs = try FileDescriptor.workingDirectory.open("\(directory)/images/blobs/sha256")
        defer { blobs.closeQuietly() }
        for name in try blobs.entries() {
            let bytes = try blobs.contents(of: name, limit: 64 << 20)
            #expect(Digest.of(bytes).hex == name, sourceLocation: sourceLocation)
        }
    }
}
