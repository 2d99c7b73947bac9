/// What `run` puts before each line of the container's output.
public struct LineMarks: Sendable, Equatable {
    /// As given, without a newline.
    public var prefix = ""
    /// Whether the time comes first, in UTC with milliseconds.
    public var hasTime = false

    public init() {}

    /// Whether lines stay as they are.
    public var isEmpty: Bool { prefix.isEmpty && !hasTime }

    fileprivate func bytes(at time: Timestamp) -> [UInt8] {
        var text = ""
        if hasTime { text = "\(time.milliseconds) " }
        text += prefix
        return Array(text.utf8)
    }
}

/// One marked stream. Lines are passed on when they are whole, so that those of two streams never mix; their bytes stay as
/// they are.
struct MarkedStream {
    private let marks: LineMarks
    private var line: [UInt8] = []
    private var started: Timestamp?
    /// Whether the line's beginning, with its mark, has been passed on.
    private var isContinued = false
    /// A longer line is passed on in pieces.
    private static let limit = 16 << 10

    init(_ marks: LineMarks) { self.marks = marks }

    /// Takes a piece.
    ///
    /// - Returns: What can be written by now.
    mutating func pass(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var written: [UInt8] = []
        var rest = bytes
        while !rest.isEmpty {
            if started == nil { started = .now }
            if let newline = rest.firstIndex(of: 0x0a) {
                line += rest[...newline]
                rest = rest[(newline + 1)...]
                written += take()
                (started, isContinued) = (nil, false)
            } else {
                line += rest
                rest = []
                if line.count >= Self.limit {
                    written += take()
                    isContinued = true
                }
            }
        }
        return written
    }

    /// Ends the stream.
    ///
    /// - Returns: The line that never got its end.
    mutating func finish() -> [UInt8] { line.isEmpty ? [] : take() }

    private mutating func take() -> [UInt8] {
        defer { line.removeAll(keepingCapacity: true) }
        return isContinued ? line : marks.bytes(at: started ?? .now) + line
    }
}

extension Timestamp {
    /// RFC 3339 with milliseconds and `Z`, as in `2024-05-06T07:08:09.123Z`.
    fileprivate var milliseconds: String { "\(rfc3339.prefix(23))Z" }
}
