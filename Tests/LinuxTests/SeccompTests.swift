import Linux
import Testing

@Suite struct SeccompTests {
    @Test func `a filter becomes a program that the kernel can take`() throws {
        let filter = try SeccompFilter(default: .errno(1))
        #expect(try filter.add(.allow, call: "read"))
        let few = try BPFProgram(bytes: filter.export())
        #expect(
            try filter.add(
                .errno(38), call: "clone",
                arguments: [SeccompArgument(index: 0, comparison: .maskedEqual, value: 0x7e02_0000)]))
        #expect(try BPFProgram(bytes: filter.export()).count > few.count)
    }

    @Test func `a call that libseccomp does not know is told from one that it knows`() throws {
        let filter = try SeccompFilter(default: .allow)
        #expect(try !filter.add(.killProcess, call: "no_such_call"))
        #expect(try filter.add(.killProcess, call: "reboot"))
    }

    @Test func `a rule that repeats the default action is refused`() throws {
        let filter = try SeccompFilter(default: .allow)
        #expect(throws: Failure.self) { try filter.add(.allow, call: "read") }
    }

    @Test func `bytes that are no whole instructions make no program`() {
        #expect(throws: Failure.self) { try BPFProgram(bytes: []) }
        #expect(throws: Failure.self) { try BPFProgram(bytes: [UInt8](repeating: 0, count: 12)) }
        #expect(throws: Failure.self) { try BPFProgram(bytes: [UInt8](repeating: 0, count: 8 * 4097)) }
    }

    @Test func `architectures have the numbers that a filter sees`() throws {
        let x86 = try #require(SeccompArchitecture(named: "x86"))
        #expect(x86.number(ofCall: "read") == 3)
        #expect(SeccompArchitecture.x32.auditNumber == SeccompArchitecture(named: "x86_64")?.auditNumber)
        #expect(SeccompArchitecture(named: "pdp11") == nil)
    }
}
