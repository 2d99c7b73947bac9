import Containers
import Glibc
import Linux
import Runtime

/// `apus-runtime ps`: list the processes of a container.
enum ProcessesOfContainer {
    static let options: [RuntimeOption] = [.value("format", "f")]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        // What stands behind the ID is for ps, with its own options.
        let words = try RuntimeWords(words, options, argumentLimit: 1)
        guard let id = words.arguments.first else {
            throw Failure("", "", "\"ps\" requires a minimum of 1 argument, the container's ID")
        }
        let pids = try globals.store().container(id).processes()
        switch words.value("format") ?? "table" {
        case "json": return try RuntimeProgram.printing("[\(pids.map { "\($0)" }.joined(separator: ","))]\n")
        case "table":
            let options = Array(words.arguments.dropFirst())
            let table = try options.isEmpty ? ProcessTable(pids) : ProcessTable(pids, psOptions: options)
            return try RuntimeProgram.printing(table.lines.map { $0 + "\n" }.joined())
        case let other: throw Failure("", "", "invalid format option: \(other)")
        }
    }
}
