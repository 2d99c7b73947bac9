import Linux
import Testing

@Suite struct CapabilityTests {
    @Test(arguments: ["NET_ADMIN", "CAP_NET_ADMIN", "net_admin", "cap_Net_Admin"])
    func `every way that Docker's users write a capability is understood`(text: String) throws {
        #expect(try CapabilitySet(parsing: text) == CapabilitySet(number: 12))
    }

    @Test(arguments: ["", "CAP_", "NOPE", "12", "NET_ADMIN ", "KILL,CHOWN", "CAP_CAP_NET_ADMIN", "=ep"])
    func `what is no capability is refused`(text: String) {
        #expect(throws: Failure.self) { try CapabilitySet(parsing: text) }
    }

    @Test func `the names of a set read back as the same set`() throws {
        let known = CapabilitySet(rawValue: CapabilitySet.all.rawValue & 0x1ff_ffff_ffff)
        let read = CapabilitySet.reading(known.names)
        #expect(read.set == known)
        #expect(read.unknown.isEmpty)
        #expect(CapabilitySet(number: 0).names == ["CAP_CHOWN"])
    }

    @Test func `a configuration's unknown names are told apart from its known ones`() {
        let read = CapabilitySet.reading(["CAP_KILL", "CAP_FROM_THE_FUTURE", "CAP_CHOWN"])
        #expect(read.set == [CapabilitySet(number: 0), CapabilitySet(number: 5)])
        #expect(read.unknown == ["CAP_FROM_THE_FUTURE"])
    }

    @Test func `all capabilities are those of this kernel`() {
        #expect(CapabilitySet(number: 0).isSubset(of: .all))
        #expect(Capabilities.bounding().isSubset(of: .all))
    }
}
