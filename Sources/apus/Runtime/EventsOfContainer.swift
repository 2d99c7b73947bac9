import Containers
import Linux
import OCI
import Runtime

/// `apus-runtime events`: print what a container uses, and when memory ran out for it.
enum EventsOfContainer {
    static let options: [RuntimeOption] = [.value("interval"), .flag("stats")]

    static func run(_ words: ArraySlice<String>, _ globals: RuntimeGlobals) throws -> Int32 {
        let words = try RuntimeWords(words, options)
        let container = try globals.store().container(words.id(of: "events"))
        if try words.has("stats") { return try tell(container.id, container.statistics()) }
        let interval = try Values.duration(words.value("interval") ?? "5s")
        guard interval > 0 else { throw Failure("", "", "duration interval must be greater than 0") }
        try container.watch(every: CInt(clamping: max(1, interval / 1_000_000))) { _ = try tell(container.id, $0) }
        return 0
    }

    /// Prints a line: without statistics it tells that memory has run out.
    private static func tell(_ id: String, _ statistics: ContainerStatistics?) throws -> Int32 {
        let event = ContainerEvent(type: statistics == nil ? "oom" : "stats", id: id, data: statistics)
        return try RuntimeProgram.printing(String(decoding: event.json(), as: UTF8.self) + "\n")
    }
}
