import Linux
import SystemPackage
import Testing

@Suite struct TerminalTests {
    @Test func `a window size set on one side is seen on the other`() throws {
        let terminal = try Pseudoterminal()
        defer { terminal.master.closeQuietly() }
        let peer = try terminal.openPeer()
        defer { peer.closeQuietly() }
        #expect(peer.isTerminal)
        let size = WindowSize(rows: 37, columns: 101)
        try terminal.master.setWindowSize(size)
        #expect(try peer.windowSize() == size)
    }

    @Test func `a raw terminal passes a line's end unchanged, a restored one makes two bytes of it`() throws {
        let terminal = try Pseudoterminal()
        defer { terminal.master.closeQuietly() }
        let peer = try terminal.openPeer()
        defer { peer.closeQuietly() }
        let before = try peer.setRaw()
        try peer.writeFully(Array("a\n".utf8))
        #expect(try read(terminal) == "a\n")
        peer.restore(before)
        try peer.writeFully(Array("b\n".utf8))
        #expect(try read(terminal) == "b\r\n")
    }

    @Test func `what is no terminal has no window`() throws {
        let pipe = try FileDescriptor.makePipe()
        defer {
            pipe.read.closeQuietly()
            pipe.write.closeQuietly()
        }
        #expect(!pipe.read.isTerminal)
        #expect(throws: SystemCallError.self) { try pipe.read.windowSize() }
        #expect(throws: SystemCallError.self) { try pipe.read.setRaw() }
    }

    private func read(_ terminal: Pseudoterminal) throws -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = try bytes.withUnsafeMutableBytes { try terminal.master.read(into: $0) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
