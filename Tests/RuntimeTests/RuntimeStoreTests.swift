import Cgroups
import Linux
import OCI
import Testing

@testable import Runtime

@Suite struct RuntimeStoreTests {
    @Test(arguments: ["a", "A-b_c.d+e", "n1.root.4.0.0", String(repeating: "a", count: 1024)])
    func `what runc takes is an ID`(id: String) {
        #expect(RuntimeStore.isValid(id))
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "ä", "a\n", "@seccomp", String(repeating: "a", count: 1025)])
    func `what leads elsewhere is no ID`(id: String) {
        #expect(!RuntimeStore.isValid(id))
    }

    @Test func `a record reads back as it was written`() throws {
        var record = RuntimeRecord()
        record.ociVersion = "1.2.0"
        record.id = "one"
        record.bundle = "/bundle"
        record.rootfs = "/bundle/rootfs"
        record.pid = 42
        record.startTime = 1 << 40
        record.created = Clock.rfc3339()
        record.annotations = ["key": "value"]
        record.cgroup = .init(kind: .v1, id: "one", directories: ["memory": "/sys/fs/cgroup/memory/one"])
        record.noNewKeyring = true
        let read = try RuntimeRecord(json: record.json())
        #expect(read.json() == record.json() && read.cgroup == record.cgroup && read.startTime == 1 << 40)
    }

    @Test(arguments: [(#""pid":1"#, #""pid":-1"#, "pid"), (#""pid":1"#, #""pid":"1""#, "pid")])
    func `a record with an impossible value is refused by its name`(old: String, new: String, path: String) throws {
        var record = RuntimeRecord()
        record.pid = 1
        let text = String(decoding: record.json(), as: UTF8.self)
        try #require(text.contains(old))
        do {
            _ = try RuntimeRecord(json: Array(text.replacing(old, with: new).utf8))
            Issue.record("\(new) was taken")
        } catch {
            #expect(error.path == path)
        }
    }

    @Test func `the time has the form of RFC 3339`() throws {
        let digits = Clock.rfc3339().map { $0.isNumber ? "0" : String($0) }.joined()
        #expect(digits == "0000-00-00T00:00:00.000000000Z")
        #expect(Clock.rfc3339(fraction: false).utf8.count == 20)
    }

    @Test(arguments: [
        (0, 1970, 1, 1), (59, 1970, 3, 1), (11016, 2000, 2, 29), (11017, 2000, 3, 1), (20454, 2026, 1, 1),
        (47540, 2100, 2, 28), (47541, 2100, 3, 1),
    ])
    func `days become dates`(days: Int, year: Int, month: Int, day: Int) {
        let date = Clock.date(daysSince1970: days)
        #expect(date.year == year && date.month == month && date.day == day, "\(date)")
    }

    @Test func `the example is a config that can be read`() throws {
        for rootless in [false, true] {
            let spec = try Spec(json: ExampleSpec.json(rootless: rootless))
            #expect(spec == ExampleSpec.spec(rootless: rootless) && spec.has(.user) == rootless)
        }
    }
}
