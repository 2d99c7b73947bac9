import Dockerfiles
import Glibc
import Images
import Linux
import SystemPackage

/// What `ADD` gets from elsewhere: a file by HTTP, or a Git repository.
enum RemoteSource {
    case file(String)
    /// - Parameters:
    ///   - reference: A branch, a tag or a commit; `nil` for what the repository has as its head.
    ///   - folder: A directory in it; `nil` for all.
    case repository(String, reference: String?, folder: String?)

    /// - Returns: `nil` for a path.
    init?(_ text: String) {
        let isWeb = text.hasPrefix("http://") || text.hasPrefix("https://")
        let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        let isGit = text.hasPrefix("git://") || text.hasPrefix("git@") || text.hasPrefix("ssh://")
        guard isGit || (isWeb && parts[0].hasSuffix(".git")) else {
            guard isWeb else { return nil }
            self = .file(text)
            return
        }
        let fragment = (parts.count > 1 ? parts[1] : "").split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let reference = fragment.first.map { String($0) } ?? ""
        self = .repository(
            parts[0], reference: reference.isEmpty ? nil : reference,
            folder: fragment.count > 1 && !fragment[1].isEmpty ? String(fragment[1]) : nil)
    }

    /// Gets it into a directory.
    ///
    /// - Parameters:
    ///   - directory: Empty.
    ///   - keepsGit: Whether `.git` stays.
    /// - Returns: What is to be copied of the directory.
    func fetch(into directory: String, keepsGit: Bool) throws(Failure) -> String {
        switch self {
        case .file(let address):
            let name =
                address.prefix { $0 != "?" && $0 != "#" }.split(separator: "/").dropFirst(2).last
                .map { String($0) } ?? "download"
            try Self.execute("/proc/self/exe", ["apus", "__fetch", address, "\(directory)/\(name)"], address)
            return name
        case .repository(let address, let reference, let folder):
            try Self.clone(address, reference, into: directory, keepsGit: keepsGit)
            return folder ?? "."
        }
    }

    private static func clone(
        _ address: String, _ reference: String?, into directory: String, keepsGit: Bool
    ) throws(Failure) {
        guard let git = ProgramPath.find("git") else {
            throw Failure("get repository", address, "git is not found", remedy: "install git")
        }
        try execute(git, ["git", "-C", directory, "init", "--quiet"], address)
        // As Git itself does not, an option that is named as a reference is refused.
        let wanted = reference ?? "HEAD"
        guard !wanted.hasPrefix("-"), !address.hasPrefix("-") else {
            throw Failure("get repository", address, "'\(wanted)' is no reference")
        }
        try execute(git, ["git", "-C", directory, "fetch", "--quiet", "--depth", "1", address, wanted], address)
        try execute(git, ["git", "-C", directory, "checkout", "--quiet", "FETCH_HEAD"], address)
        if keepsGit { return }
        do throws(SystemCallError) {
            try FileDescriptor.workingDirectory.removeTree("\(directory)/.git")
        } catch {
            throw Failure("get repository", address, error)
        }
    }

    /// Runs a program of the machine; what it prints goes to standard error.
    static func execute(_ path: String, _ words: [String], _ subject: String) throws(Failure) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, path, &actions, nil, arguments, environ)
        guard error == 0 else { throw Failure("execute", words[0], Errno(rawValue: error).reason) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            guard errno == EINTR else { throw Failure("execute", words[0], Errno(rawValue: errno).reason) }
        }
        guard status == 0 else { throw Failure("get", subject, "\(words[0]) failed, as it says above") }
    }
}
