import CLinux
import Glibc
import Linux
import SystemPackage
import Testing

@testable import Containers

/// A directory of its own for each test, gone when the test is.
private final class Scratch {
    let path: String
    let directory: FileDescriptor

    init() throws {
        var template = Array("/tmp/apus-log-test.XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
        directory = try FileDescriptor.workingDirectory.open(path, O_RDONLY | O_DIRECTORY)
    }

    deinit {
        directory.closeQuietly()
        // `try?`: what a failed test leaves in /tmp harms nobody
        try? FileDescriptor.workingDirectory.removeTree(path)
    }

    func write(_ name: String, _ lines: [String]) throws {
        try directory.replaceFile(name, with: lines.map { $0 + "\n" }.joined().utf8)
    }

    func lines(tail: Int? = nil) throws -> [String] {
        var parts = try LogParts(directory)
        defer { parts.close() }
        if let tail { try parts.skipToTail(tail) }
        var lines: [String] = []
        while let line = try parts.nextLine() { lines.append(String(decoding: line, as: UTF8.self)) }
        return lines
    }
}

@Suite struct `logs` {
    @Test func `what a log writer writes is what a reader reads, byte by byte`() throws {
        let scratch = try Scratch()
        let writer = try LogWriter(directory: scratch.directory, rotation: .init())
        let text = "tab\t quote\" back\\slash \u{1b}[1m é \u{1F600} \u{7f}\r\n"
        try writer.write(Array(text.utf8)[...], from: .stderr)
        try writer.write(Array("no newline".utf8)[...], from: .stdout)
        try writer.finish()
        let entries = try scratch.lines().map { LogEntry(line: Array($0.utf8)[...]) }
        #expect(entries.map { $0.map { String(decoding: $0.text, as: UTF8.self) } } == [text, "no newline"])
        #expect(entries.map { $0?.stream } == [.stderr, .stdout])
        #expect(entries.allSatisfy { $0.flatMap { Timestamp(rfc3339: $0.time) } != nil })
    }

    @Test(arguments: [
        "", "{}", #"{"log":"x","stream":"stdout"}"#, #"{"log":"x","stream":"other","time":"t"}"#,
        #"{"log":"x\q","stream":"stdout","time":"t"}"#, #"{"log":"x","stream":"stdout","time":"t"}junk"#,
        #"{"log":"\u12"#,
    ])
    func `a line that is no entry is refused`(line: String) {
        #expect(LogEntry(line: Array(line.utf8)[...]) == nil)
    }

    @Test func `surrogates in a log are one character`() {
        let line = #"{"log":"\ud83d\ude00\/","stream":"stdout","time":"t"}"#
        #expect(LogEntry(line: Array(line.utf8)[...]).map { String(decoding: $0.text, as: UTF8.self) } == "\u{1F600}/")
    }

    @Test func `rotated parts are read before the current one, the oldest first`() throws {
        let scratch = try Scratch()
        try scratch.write("log.2", ["1", "2"])
        try scratch.write("log.1", ["3"])
        try scratch.write("log", ["4", "5"])
        #expect(try scratch.lines() == ["1", "2", "3", "4", "5"])
    }

    @Test(arguments: [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (99, 5)])
    func `a tail ends with the newest line wherever the parts are cut`(tail: Int, count: Int) throws {
        let scratch = try Scratch()
        try scratch.write("log.2", ["1", "2"])
        try scratch.write("log.1", ["3"])
        try scratch.write("log", ["4", "5"])
        #expect(try scratch.lines(tail: tail) == ["1", "2", "3", "4", "5"].suffix(count))
    }

    @Test func `a tail of lines longer than a block is found`() throws {
        let scratch = try Scratch()
        let long = (0..<5).map { String(repeating: "\($0)", count: 50_000) }
        try scratch.write("log", long)
        #expect(try scratch.lines(tail: 2) == long.suffix(2))
    }

    @Test func `an empty or missing log has no lines`() throws {
        let scratch = try Scratch()
        #expect(try scratch.lines(tail: 3).isEmpty)
        try scratch.write("log", [])
        #expect(try scratch.lines(tail: 3).isEmpty)
    }

    @Test func `a reader that a rotation overtakes goes on with the newer files`() throws {
        let scratch = try Scratch()
        let (name, rotated) = ("log", ["log.1", "log.2"])
        try scratch.write(name, ["1"])
        var parts = try LogParts(scratch.directory)
        defer { parts.close() }
        #expect(try parts.nextLine().map { String(decoding: $0, as: UTF8.self) } == "1")
        #expect(try parts.nextLine() == nil)
        #expect(rename("\(scratch.path)/log", "\(scratch.path)/\(rotated[1])") == 0)
        try scratch.write(rotated[0], ["2"])
        try scratch.write(name, ["3"])
        try parts.continueAfterRotation()
        var lines: [String] = []
        while let line = try parts.nextLine() { lines.append(String(decoding: line, as: UTF8.self)) }
        #expect(lines == ["2", "3"])
    }

    @Test func `a log that begins anew is read from its beginning`() throws {
        let scratch = try Scratch()
        try scratch.write("log", ["a long first line"])
        var parts = try LogParts(scratch.directory)
        defer { parts.close() }
        while try parts.nextLine() != nil {}
        let file = try scratch.directory.open("log", O_WRONLY | O_TRUNC)
        defer { file.closeQuietly() }
        try file.writeFully("new\n".utf8)
        try parts.continueAfterRotation()
        #expect(try parts.nextLine().map { String(decoding: $0, as: UTF8.self) } == "new")
    }
}

@Suite struct `moments` {
    @Test(
        arguments: [
            ("2024-05-06T07:08:09Z", 1_714_979_289_000_000_000),
            ("2024-05-06T07:08:09.5Z", 1_714_979_289_500_000_000),
            ("2024-05-06T07:08:09.123456789123Z", 1_714_979_289_123_456_789),
            ("2024-05-06T09:08:09+02:00", 1_714_979_289_000_000_000),
            ("2024-05-06T02:38:09-04:30", 1_714_979_289_000_000_000),
            ("1714979289", 1_714_979_289_000_000_000),
            ("1714979289.25", 1_714_979_289_250_000_000),
        ] as [(String, UInt64)])
    func `a moment is read in any of Docker's forms`(text: String, nanoseconds: UInt64) throws {
        #expect(try Timestamp(parsing: text).nanoseconds == nanoseconds)
    }

    @Test func `a duration means so long ago`() throws {
        let now = Timestamp(nanoseconds: 10_000_000_000_000)
        #expect(try Timestamp(parsing: "1h30m", now: now).nanoseconds == 4_600_000_000_000)
        #expect(try Timestamp(parsing: "9999h", now: now).nanoseconds == 0)
    }

    @Test(arguments: ["", "yesterday", "2024-13-01", "2024-05-06T25:00:00Z", "2024-05-06T07:08:09X", "-5", "1.x"])
    func `what is no moment is refused`(text: String) {
        #expect(throws: Failure.self) { try Timestamp(parsing: text) }
    }

    @Test func `a moment is written as it is read`() throws {
        let moment = Timestamp(nanoseconds: 1_714_979_289_000_000_042)
        #expect(moment.rfc3339 == "2024-05-06T07:08:09.000000042Z")
        #expect(Timestamp(rfc3339: moment.rfc3339) == moment)
    }
}

@Suite struct `detach keys` {
    private static let keys: [UInt8] = [16, 17]

    @Test(
        arguments: [
            ([97, 98], [97, 98], false),
            ([97, 16, 17, 98], [97], true),
            ([16, 98], [16, 98], false),
            ([16, 16, 17], [16], true),
            ([], [], false),
        ] as [([UInt8], [UInt8], Bool)])
    func `only the whole sequence detaches, and what is not it is passed on`(
        typed: [UInt8], passed: [UInt8], detaches: Bool
    ) {
        var filter = DetachKeyFilter(Self.keys)
        let result = filter.take(typed[...])
        #expect(result.passed == passed)
        #expect(result.detaches == detaches)
    }

    @Test func `a sequence may come in pieces`() {
        var filter = DetachKeyFilter(Self.keys)
        #expect(filter.take([16]) == ([], false))
        #expect(filter.take([17]) == ([], true))
    }

    @Test func `without keys everything is passed on`() {
        var filter = DetachKeyFilter([])
        #expect(filter.take([16, 17]) == ([16, 17], false))
    }
}
