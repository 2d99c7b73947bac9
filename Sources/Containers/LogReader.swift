import CLinux
import Glibc
public import Linux
import SystemPackage

/// Reads a container's log, its rotated parts first, and what is added to it while the container runs.
public struct LogReader {
    /// Which entries are wanted.
    public struct Options: Sendable {
        /// The newest so many; `nil` for all.
        public var tail: Int?
        /// Nothing older; `nil` for no bound.
        public var since: Timestamp?
        /// Nothing newer; `nil` for no bound.
        public var until: Timestamp?
        /// Whether to go on until the container ends.
        public var follows = false

        public init() {}
    }

    private let container: Container
    private let options: Options
    private var damaged = 0

    /// - Throws: For a container whose output is not logged.
    public init(_ container: Container, _ options: Options) throws(Failure) {
        let config = try container.loadConfig()
        guard config.log.driver == .jsonFile else {
            throw Failure(
                "read log", config.name ?? container.shortID,
                "its log driver '\(config.log.driver.rawValue)' keeps none",
                remedy: "run it with --log-driver json-file")
        }
        if !container.directory.has("log"), case .running = try container.loadState().status {
            throw Failure("read log", config.name ?? container.shortID, "its output goes to the command that runs it")
        }
        self.container = container
        self.options = options
    }

    /// Gives every wanted entry to `body`, the oldest first.
    ///
    /// - Parameter whenIdle: Called when there is nothing more for now.
    /// - Returns: How many lines were damaged, and left out.
    public mutating func read(_ body: (LogEntry) throws -> Void, whenIdle: () throws -> Void) throws -> Int {
        defer { damaged = 0 }
        // Before the first line is read, so that none that is added meanwhile is missed.
        let watch = options.follows ? try LogWatch(container) : nil
        defer { watch?.close() }
        var parts = try LogParts(container.directory)
        defer { parts.close() }
        if let tail = options.tail { try parts.skipToTail(tail) }
        var isOver = watch == nil
        while true {
            while let line = try parts.nextLine() {
                guard try give(line, body) else {
                    isOver = true
                    break
                }
            }
            try whenIdle()
            if isOver { return damaged }
            // Once it is over, what was written just before is read in another turn.
            isOver = try watch?.wait(until: options.until) ?? true
            try parts.continueAfterRotation()
        }
    }

    /// - Returns: `false` when nothing later is wanted.
    private mutating func give(_ line: ArraySlice<UInt8>, _ body: (LogEntry) throws -> Void) throws -> Bool {
        guard let entry = LogEntry(line: line) else {
            damaged += 1
            return true
        }
        if options.since == nil && options.until == nil {
            try body(entry)
            return true
        }
        guard let time = Timestamp(rfc3339: entry.time) else {
            damaged += 1
            return true
        }
        if let since = options.since, time < since { return true }
        if let until = options.until, time > until { return false }
        try body(entry)
        return true
    }
}
