import Glibc
public import Linux
import SystemPackage

/// What reading a command line needs from outside it.
public struct Surroundings: Sendable {
    /// The value of an environment variable of the caller.
    public var environment: @Sendable (String) -> String?
    /// The caller's working directory, absolute.
    public var workingDirectory: @Sendable () -> String
    /// The bytes of a file that is named on the command line.
    public var contents: @Sendable (String) throws(Failure) -> [UInt8]

    public init(
        environment: @escaping @Sendable (String) -> String?, workingDirectory: @escaping @Sendable () -> String,
        contents: @escaping @Sendable (String) throws(Failure) -> [UInt8]
    ) {
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.contents = contents
    }

    /// Those of this process. A file may have 1 MiB, and may be a pipe, as shells make for `<(…)`.
    public static let process = Surroundings(
        environment: { getenv($0).map { String(cString: $0) } },
        workingDirectory: {
            guard let path = getcwd(nil, 0) else { return "/" }
            defer { free(path) }
            return String(cString: path)
        },
        contents: { path throws(Failure) in
            do throws(SystemCallError) {
                let file = try FileDescriptor.workingDirectory.open(path)
                defer { file.closeQuietly() }
                return try file.readAll(limit: 1 << 20)
            } catch {
                throw Failure("", "'\(path)'", error)
            }
        })

    /// A path as it is from the root directory.
    public func absolute(_ path: String) -> String {
        if path.isAbsolutePath { return path }
        let parts = path.parts(between: "/").drop { $0.isEmpty || $0 == "." }
        let directory = workingDirectory()
        if parts.isEmpty { return directory }
        return (directory == "/" ? "" : directory) + parts.map { "/" + $0 }.joined()
    }
}

/// Environment variables and labels as flags and files give them.
public enum Assignments {
    /// The lines of an `--env-file` or `--label-file`: no comments, no empty lines, no blanks before the name.
    ///
    /// - Throws: For what is not UTF-8 and for a name with blanks in it.
    public static func lines(of bytes: [UInt8], file: String) throws(Failure) -> [String] {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        var lines: [String] = []
        for (index, raw) in (bytes.starts(with: mark) ? bytes.dropFirst(3) : bytes[...])
            .split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
        {
            let line = raw.last == UInt8(ascii: "\r") ? raw.dropLast() : raw
            let text = line.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            guard let first = text.first, first != UInt8(ascii: "#") else { continue }
            let place = "'\(file)' line \(index + 1)"
            guard let string = String(validating: text, as: UTF8.self) else {
                throw Failure("", place, "not UTF-8")
            }
            let name = text.prefix { $0 != UInt8(ascii: "=") }
            if name.isEmpty { throw Failure("", place, "no name before '='") }
            if name.contains(where: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }) {
                throw Failure("", place, "blanks in the name '\(String(decoding: name, as: UTF8.self))'")
            }
            lines.append(string)
        }
        return lines
    }

    /// Splits `name=value`; without `=` the value is `nil`.
    ///
    /// - Throws: Without a name, and for a zero byte, which no system call and no record takes.
    public static func split(_ text: String) throws(Failure) -> (name: String, value: String?) {
        if text.utf8.contains(0) { throw Values.failure(text, "a zero byte") }
        guard let sign = text.utf8.firstIndex(of: UInt8(ascii: "=")) else {
            if text.isEmpty { throw Values.failure(text, "no name") }
            return (text, nil)
        }
        guard sign != text.startIndex else { throw Values.failure(text, "no name before '='") }
        return (String(text[..<sign]), String(text[text.utf8.index(after: sign)...]))
    }

    /// Adds one variable to `environment`: a name alone takes the caller's value, or unsets it where the caller has none.
    public static func add(
        _ text: String, to environment: inout [String], unset: inout [String], from surroundings: Surroundings
    ) throws(Failure) {
        let (name, value) = try split(text)
        let prefix = name + "="
        environment.removeAll { $0.hasPrefix(prefix) }
        unset.removeAll { $0 == name }
        if let value = value ?? surroundings.environment(name) {
            environment.append(prefix + value)
        } else {
            unset.append(name)
        }
    }
}
