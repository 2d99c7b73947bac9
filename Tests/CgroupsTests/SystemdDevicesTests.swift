import Linux
import OCI
import Testing

@testable import Cgroups

/// Device rules as systemd's properties, which on v1 keep it from allowing all when it reads its configuration anew.
@Suite struct SystemdDevicesTests {
    private static let groups = DeviceGroups(
        "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n136 pts\n\nBlock devices:\n  8 sd\n")

    /// What goes over the bus, as text.
    private static func text(_ rules: [Spec.DeviceRule]) throws -> (names: [String], text: String) {
        var properties = SystemdProperties()
        try properties.addDevices(rules, groups: groups)
        var writer = DBusWriter()
        properties.write(to: &writer)
        return (properties.names, String(decoding: writer.bytes, as: UTF8.self))
    }

    @Test func `all but what is listed is denied, and what every container has is listed`() throws {
        let sent = try Self.text(Spec.DeviceRule.forContainer([.init(allow: true, type: "b", major: 8, access: "r")]))
        #expect(sent.names == ["DevicePolicy", "DeviceAllow"])
        for word in ["strict", "char-*", "block-*", "/dev/char/1:3", "/dev/char/5:2", "char-pts", "block-sd"] {
            #expect(sent.text.contains("\(word)\0"), "\(word)")
        }
    }

    @Test func `what a later rule denies once more is listed no longer`() throws {
        let rule = Spec.DeviceRule(allow: true, type: "c", major: 1, minor: 11, access: "rw")
        var denied = rule
        denied.allow = false
        #expect(try Self.text([.init(allow: false), rule]).text.contains("/dev/char/1:11"))
        #expect(try !Self.text([.init(allow: false), rule, denied]).text.contains("/dev/char/1:11"))
    }

    @Test func `a container that may have all devices has no list`() throws {
        #expect(try Self.text([.init(allow: true)]).names == ["DevicePolicy"])
    }

    @Test func `a number that no driver has is left out`() throws {
        let sent = try Self.text([.init(allow: false), .init(allow: true, type: "c", major: 250, access: "rwm")])
        #expect(sent.names == ["DevicePolicy", "DeviceAllow"] && !sent.text.contains("250"))
    }
}
