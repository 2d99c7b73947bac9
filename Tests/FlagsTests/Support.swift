import Containers
import Flags
import Linux

/// A caller with one variable, one directory and two files.
let caller = Surroundings(
    environment: { $0 == "FROM_CALLER" ? "yes" : nil }, workingDirectory: { "/home/me" },
    contents: { path throws(Failure) in
        switch path {
        case "vars": return Array("# comment\n\nA=file\n  B=b b\r\nFROM_CALLER\nNOWHERE\n".utf8)
        case "labels": return Array("\u{feff}one=1\ntwo\n".utf8)
        case "bad": return Array("A=1\nB C=2\n".utf8)
        case "nameless": return Array("=x".utf8)
        case "zero": return Array("A=x\0y\n".utf8)
        case "binary": return [0x41, 0x3d, 0xff]
        default: throw Failure("", "'\(path)'", "No such file or directory")
        }
    })

/// Reads a command line of `run`, split at blanks.
func run(_ line: String) throws(Failure) -> RunRequest {
    try RunCommandLine.parse(words(line), verb: .run, surroundings: caller)
}

/// The config of a command line on `@host` with the command `true`.
func config(_ flags: String) throws(Failure) -> ContainerConfig {
    try run("\(flags) @host true").config
}

/// What a command line that cannot be is answered with.
func complaint(_ line: String) -> String? {
    do throws(Failure) {
        _ = try run(line)
        return nil
    } catch {
        return error.exitCode == 125 ? error.description : "exit code \(error.exitCode)"
    }
}

func words(_ line: String) -> [String] { line.split(separator: " ").map(String.init) }
