import ArgumentParser
import Containers
import Glibc
import Linux
import SystemPackage

/// `apus logs`: what a container wrote.
struct Logs: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what a container wrote")

    @Flag(name: .shortAndLong, help: "Go on until the container ends") var follow = false
    @Flag(name: .shortAndLong, help: "Show the time before each line") var timestamps = false
    @Option(
        name: [.customShort("n"), .long],
        help: .init("Show so many of the newest lines; 'all' or a negative number for all", valueName: "number"))
    var tail = "all"
    @Option(help: .init("Show what was written from then on: 2024-05-06T07:08:09Z, or 10m ago", valueName: "time"))
    var since: String?
    @Option(help: .init("Show what was written up to then", valueName: "time")) var until: String?
    @Argument(help: .container, completion: .containers) var container: String

    func run() throws {
        var options = LogReader.Options()
        options.follows = follow
        options.since = try Self.time(since, "--since")
        options.until = try Self.time(until, "--until")
        options.tail = try tailCount()
        let store = try openStore()
        try forEachReportingFailures([container]) { name in
            var reader = try LogReader(store.find(name), options)
            var printer = LogPrinter(showsTimes: timestamps)
            let damaged = try reader.read({ try printer.print($0) }, whenIdle: { try printer.flush() })
            if damaged > 0 { Report.line("warning: \(damaged) damaged lines of the log were left out") }
        }
    }

    private static func time(_ text: String?, _ option: String) throws -> Timestamp? {
        guard let text else { return nil }
        do throws(Failure) {
            return try Timestamp(parsing: text)
        } catch {
            throw UsageError("\(option) \(error)", command: "logs")
        }
    }

    private func tailCount() throws -> Int? {
        if tail == "all" { return nil }
        guard let count = Int(tail) else {
            throw UsageError("--tail '\(tail)': neither a number nor 'all'", command: "logs")
        }
        return count < 0 ? nil : count
    }
}

/// Prints entries to the stream that they came from, in large writes.
private struct LogPrinter {
    let showsTimes: Bool
    private var pending: [UInt8] = []
    private var stream = LogEntry.Stream.stdout

    init(showsTimes: Bool) {
        self.showsTimes = showsTimes
    }

    mutating func print(_ entry: LogEntry) throws {
        if entry.stream != stream || pending.count > 64 << 10 { try flush() }
        stream = entry.stream
        if showsTimes { pending += "\(entry.time) ".utf8 }
        pending += entry.text
    }

    mutating func flush() throws {
        defer { pending.removeAll(keepingCapacity: true) }
        try FileDescriptor(rawValue: stream == .stdout ? STDOUT_FILENO : STDERR_FILENO).writeFully(pending)
    }
}
