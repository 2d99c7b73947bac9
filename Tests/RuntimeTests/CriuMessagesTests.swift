import Testing

@testable import Runtime

/// What is said to CRIU, byte by byte as its images/rpc.proto has it.
@Suite struct CriuMessagesTests {
    @Test func `a request holds its kind and its options`() {
        var options = CriuRequestOptions()
        options.set(.imagesDirectory, 4)
        options.set(.leaveRunning, true)
        options.set(.logFile, "dump.log")
        options.add(.externalMount, "/a", "/b")
        let fields: [UInt8] =
            [0x08, 4, 0x18, 1, 0x52, 8] + Array("dump.log".utf8) + [0xBA, 0x01, 8, 0x0A, 2] + Array("/a".utf8)
            + [0x12, 2] + Array("/b".utf8)
        #expect(CriuMessages.request(.dump, options) == [0x08, 1, 0x12, UInt8(fields.count)] + fields)
    }

    @Test(
        arguments: [
            (0, [0]), (127, [0x7f]), (128, [0x80, 1]), (300, [0xAC, 2]),
            (-1, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        ] as [(Int64, [UInt8])])
    func `a number takes seven bits a byte`(number: Int64, bytes: [UInt8]) throws {
        var message = ProtocolBuffer()
        message.add(1, number)
        #expect(message.bytes == [0x08] + bytes)
        #expect(try #require(ProtocolFields(message.bytes[...])).number(1) == number)
    }

    @Test func `a notification tells its name and the PID`() throws {
        var notice = ProtocolBuffer()
        notice.add(1, "post-restore")
        notice.add(2, 4711)
        var message = ProtocolBuffer()
        message.add(1, 6)
        message.add(2, true)
        message.add(5, notice)
        let answer = try #require(CriuAnswer(message.bytes[...]))
        #expect(answer.notification?.name == "post-restore" && answer.notification?.pid == 4711 && answer.isSuccess)
    }

    @Test func `a failure tells why, and what is unknown in it is skipped`() throws {
        var message = ProtocolBuffer()
        message.add(1, 1)
        message.add(2, false)
        message.add(9, "no such task")
        message.add(1000, "of a later version")
        // Of fixed size: eight bytes, and four.
        let fixed: [UInt8] = [0x61] + Array(repeating: 7, count: 8) + [0x6D, 1, 2, 3, 4]
        let answer = try #require(CriuAnswer((message.bytes + fixed)[...]))
        #expect(!answer.isSuccess && answer.message == "no such task" && answer.notification == nil)
    }

    @Test(
        arguments: [[0x08], [0x12, 9, 1], [0x0B], [0x61, 1], [0xff, 0xff], Array(repeating: 0xff, count: 20)]
            as [[UInt8]])
    func `what is cut off or damaged is no answer`(bytes: [UInt8]) {
        #expect(CriuAnswer(bytes[...]) == nil)
    }

    @Test(arguments: ["pipe:[42]", "file[1a:2b]"]) func `streams from outside are handed over`(name: String) {
        #expect(OuterStreams.isHandedOver(name))
    }

    @Test(arguments: ["", "/dev/null", "socket:[7]", "/dev/pts/0"]) func `others are not`(name: String) {
        #expect(!OuterStreams.isHandedOver(name))
    }
}
