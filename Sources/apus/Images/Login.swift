import ArgumentParser
import Containers
import Glibc
import Images
import Linux
import Registries
import SystemPackage

/// `apus login`: keep the credentials for a registry.
struct LogIn: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login", abstract: "Keep a user's name and password for a registry")

    @Option(help: "Keep them in this file") var authfile: String?
    @Option(name: .shortAndLong, help: "The user's name") var username: String?
    @Option(name: .shortAndLong, help: "The password, which others can then see while this runs") var password: String?
    @Flag(help: "Read the password from standard input") var passwordStdin = false
    @Flag(help: "Print the user's name that is kept, and do no more") var getLogin = false
    @Argument(help: "The registry, docker.io if it is not given") var registry = ImageReference.defaultDomain

    func run() throws {
        var options = RegistryOptions()
        options.authFile = authfile
        if getLogin {
            guard let user = try Login.user(of: registry, options: options) else {
                throw Failure("login", registry, "no user is logged in", remedy: "use 'apus login \(registry)'")
            }
            return Output.line(user)
        }
        if passwordStdin, password != nil {
            throw UsageError("--password and --password-stdin say the same twice", command: "login")
        }
        if passwordStdin, username == nil {
            throw UsageError("--password-stdin needs --username", command: "login")
        }
        if password != nil {
            Report.line("warning: others can see a password on the command line; use --password-stdin")
        }
        let user = try username ?? Prompt.ask("Username: ")
        try Login.run(registry, user: user, password: readPassword(), options: options)
        Output.line("Login Succeeded")
    }

    private func readPassword() throws -> String {
        if let password { return password }
        guard passwordStdin else { return try Prompt.secret("Password: ") }
        let bytes = try FileDescriptor(rawValue: STDIN_FILENO).readAll(limit: 1 << 16)
        // As Docker: what `echo` or an editor adds at the end is none of it.
        var text = String(decoding: bytes, as: UTF8.self)
        while text.hasSuffix("\n") || text.hasSuffix("\r") || text.hasSuffix("\r\n") { text.removeLast() }
        return text
    }
}

/// `apus logout`: forget the credentials for a registry.
struct LogOut: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout", abstract: "Forget the user's name and password for a registry")

    @Option(help: "Forget those in this file") var authfile: String?
    @Flag(name: .shortAndLong, help: "Forget those for all registries") var all = false
    @Argument(help: "The registry, docker.io if it is not given") var registry = ImageReference.defaultDomain

    func run() throws {
        var options = RegistryOptions()
        options.authFile = authfile
        if all {
            try Login.forgetAll(options: options)
            return Output.line("Removed login credentials for all registries")
        }
        let was = try Login.forget(registry, options: options)
        Output.line(was ? "Removing login credentials for \(registry)" : "Not logged in to \(registry)")
    }
}

/// Questions to whoever sits at the terminal.
private enum Prompt {
    static func ask(_ question: String) throws -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            throw Failure(
                "login", "", "there is no terminal to ask at", remedy: "use --username and --password-stdin")
        }
        Report.raw(question)
        return readLine() ?? ""
    }

    /// Without showing what is typed.
    static func secret(_ question: String) throws -> String {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return try ask(question) }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            Report.raw("\n")
        }
        return try ask(question)
    }
}
