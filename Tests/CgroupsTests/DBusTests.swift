import Glibc
import Testing

@testable import Cgroups

@Suite struct DBusTests {
    private var call: DBusMessage {
        var body = DBusWriter()
        body.string("apus-1.scope")
        body.array(alignment: 8) { list in list.property("PIDs", "au") { $0.array(alignment: 4) { $0.uint32(7) } } }
        var message = DBusMessage(call: "Start", of: "a.B", at: "/a", to: "c.D", serial: 3)
        message.signature = "sa(sv)"
        message.body = body.bytes
        return message
    }

    @Test func `a message reads back as it was written`() throws {
        let bytes = call.encoded()
        #expect(try DBusMessage.length(of: bytes[...]) == bytes.count)
        #expect(try DBusMessage(bytes[...]) == call)
    }

    @Test func `a message cut short at any byte is an error or incomplete, never a crash`() throws {
        let bytes = call.encoded()
        for count in 0..<bytes.count {
            let part = bytes[..<count]
            guard let length = try DBusMessage.length(of: part) else { continue }
            #expect(length == bytes.count)
        }
        for count in DBusMessage.prefix..<bytes.count - call.body.count {
            #expect(throws: DBusError.self) {
                // Lengths that promise more than there is.
                var reader = DBusReader(Array(bytes[..<count]))
                while true { _ = try reader.string() }
            }
        }
    }

    @Test func `damaged bytes never crash the decoder`() {
        let bytes = call.encoded()
        for index in bytes.indices {
            for value in [0, 1, 0x7f, 0xff] as [UInt8] {
                var damaged = bytes
                damaged[index] = value
                // `try?`: an error is one of the two right answers.
                _ = try? DBusMessage(damaged[...])
            }
        }
    }

    @Test func `a message that is too large is refused before it is read`() {
        var bytes = call.encoded()
        bytes[7] = 0x7f
        #expect(throws: DBusError.self) { try DBusMessage.length(of: bytes[...]) }
    }

    @Test(arguments: [
        ("unix:path=/run/user/1000/bus", ["/run/user/1000/bus"]),
        ("unix:path=/a%20b,guid=00;unix:abstract=/tmp/x", ["/a b", "\0/tmp/x"]), ("tcp:host=a,port=1", []), ("", []),
    ])
    func `addresses name Unix sockets`(text: String, paths: [String]) {
        #expect(DBusAddress.parse(text).map(\.path) == paths)
    }

    @Test(arguments: [
        (nil, "system.slice/apus-containers.service"), ("batch.slice", "batch.slice/apus-containers-batch.service"),
        ("a-b-c.slice", "a.slice/a-b.slice/a-b-c.slice/apus-containers-a-b-c.service"),
    ])
    func `the service lies where its slice's name says`(slice: String?, path: String) {
        #expect(
            DelegatedUnit.path(in: slice).hasSuffix(geteuid() == 0 || slice != nil ? path : "apus-containers.service"))
    }
}
