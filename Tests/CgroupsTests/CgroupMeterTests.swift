import Glibc
import OCI
import Testing

@testable import Cgroups

@Suite struct CgroupMeterTests {
    @Test func `numbers are those behind their marks, on every line`() {
        let text = "8:0 rbytes=4096 wbytes=1 rios=2\n8:16 rbytes=5 wbytes=70 rios=1\n"
        #expect(sum(text, " rbytes=") == 4101)
        #expect(sum(text, " wbytes=") == 71)
        #expect(sum("8:0 Read 10\n8:0 Write 3\n8:0 Total 13\n8:16 Read 7\nTotal 20\n", " Read ") == 17)
        #expect(sum("", " Read ") == 0 && sum(" Read ", " Read ") == 0)
    }

    @Test func `a line is found by the whole of its key`() {
        let text = "file_mapped 3\nfile 7\nkernel_stack 1\nkernel 9"
        #expect(value(text, "file ") == 7)
        #expect(value(text, "kernel ") == 9)
        #expect(value(text, "sock ") == nil && value("", "sock ") == nil)
    }

    private func sum(_ text: String, _ mark: StaticString) -> UInt64 {
        Array(text.utf8).withUnsafeBytes { CgroupMeter.sum($0, behind: mark) }
    }

    private func value(_ text: String, _ key: StaticString) -> UInt64? {
        Array(text.utf8).withUnsafeBytes { CgroupMeter.value($0, of: key) }
    }
}

extension KernelTests {
    @Suite(Requirement.any) struct Meter {
        @Test func `a meter sees what the statistics say, again and again, and the end`() throws {
            let id = TestCgroup.newID()
            let made = try Cgroups.create(
                id: id, resources: .init(pids: .init(limit: 50)), policy: .strict, parent: nil, counts: true)
            let cgroup = try #require(made.cgroup)
            let meter = CgroupMeter(cgroup)
            for _ in 0..<2 {
                let (reading, statistics) = (try #require(meter.read()), try cgroup.statistics())
                #expect(reading.memory == statistics.memory?.usage)
                #expect(reading.cpu == statistics.cpu?.usage)
                #expect(reading.processes == statistics.pids?.current)
                #expect(reading.readBytes == statistics.io?.readBytes)
                #expect(reading.writtenBytes == statistics.io?.writeBytes)
                #expect(meter.readMemoryKinds().anonymous == 0)
            }
            try cgroup.remove()
            #expect(meter.read() == nil)
        }
    }
}
