import Glibc
import Linux
import OCI
import SystemPackage
import Testing

@testable import Cgroups

@Suite struct CgroupsPathTests {
    @Test(arguments: [
        ("/kubepods/pod1/abc", "kubepods/pod1/abc"), ("/abc", "abc"), ("a/b", "apus-runtime/a/b"),
        ("/a//b/", "a/b"), ("/docker/a:b", "docker/a:b"),
    ])
    func `a path is absolute from the root or relative to the runtime's place`(path: String, text: String) throws {
        #expect(try CgroupsPath(path, id: "x")?.text == text)
    }

    @Test(arguments: ["/a/../b", "..", "/", "a/./b", "/a\n"])
    func `a path that leads up or nowhere is refused`(path: String) {
        #expect(throws: Failure.self) { try CgroupsPath(path, id: "x") }
    }

    @Test func `without a path there is none`() throws {
        #expect(try CgroupsPath(nil, id: "x") == nil)
        #expect(try CgroupsPath("", id: "x") == nil)
    }

    @Test(arguments: [
        ("machine.slice:libpod:1f", "machine.slice/libpod-1f.scope"),
        ("a-b.slice:cri:x", "a.slice/a-b.slice/cri-x.scope"), ("system.slice::x", "system.slice/x.scope"),
        ("-.slice:p:x", "p-x.scope"), ("a.slice:p:x.slice", "a.slice/x.slice"),
    ])
    func `systemd's form names a slice and a scope`(text: String, path: String) throws {
        #expect(try SystemdScope(text, id: "id").path == path)
    }

    @Test(arguments: ["a:b", "a:b:c", "a.slice:b:", "a--b.slice:p:x", "a.slice:p:x/y", "../a.slice:p:x", "/a/b"])
    func `what is no scope is refused`(text: String) {
        #expect(throws: Failure.self) { try SystemdScope(text, id: "id") }
    }

    @Test(arguments: [
        ("1.2.0", Int64(0), Int64(-1)), ("1.3.0", 0, 1), ("1.3.0-rc.1", 0, 1), ("1.0.2-dev", 0, -1), ("1.3.0", 5, 5),
        ("1.3.0", -1, -1),
    ])
    func `no processes mean none only since version 1_3`(version: String, asked: Int64, meant: Int64) {
        #expect(Spec.Resources(pids: .init(limit: asked)).meant(in: version).pids?.limit == meant)
    }
}

@Suite struct RecordedHierarchyTests {
    /// Of a cgroup that is gone, so that only the names count.
    private func open(_ hierarchy: String) throws {
        let path = "/sys/fs/cgroup/\(hierarchy)/apus-test/gone"
        _ = try CgroupV1.open(CgroupRecord(kind: .v1, id: "gone", directories: [hierarchy: path]))
    }

    @Test(arguments: ["memory", "cpu,cpuacct", "net_cls,net_prio", "unified"])
    func `a hierarchy has the names of its controllers`(name: String) throws { try open(name) }

    @Test(arguments: ["", "..", "a/b", "cpu,", "cpu,..", ",", "a b"])
    func `what could lead elsewhere is no hierarchy`(name: String) {
        #expect(throws: Failure.self) { try open(name) }
    }
}

@Suite struct SystemdPropertyTests {
    @Test func `limits become the properties that runc sets`() {
        let resources = Spec.Resources(
            memory: .init(limit: 1 << 20, swap: 3 << 20),
            cpu: .init(shares: 1024, quota: 33_333, period: 100_000, cpus: "0-1,9"),
            pids: .init(limit: 7))
        #expect(
            SystemdProperties(resources, .v2).names == [
                "MemoryMax", "MemorySwapMax", "CPUWeight", "CPUQuotaPeriodUSec", "CPUQuotaPerSecUSec", "AllowedCPUs",
                "TasksMax",
            ])
        #expect(SystemdProperties.mask("0-1,9") == [3, 2])
        #expect(SystemdProperties.mask("x") == nil)
    }

    @Test(arguments: [
        ("'inactive-or-failed'", VariantText.text("inactive-or-failed")), ("true", .flag(true)),
        ("uint64 10000000", .number(signature: "t", 10_000_000)), ("5", .number(signature: "i", 5)),
        ("['a.service', 'b.service']", .texts(["a.service", "b.service"])), ("[]", .texts([])),
    ])
    func `values of annotations are read as GVariant writes them`(text: String, value: VariantText) {
        #expect(VariantText(text) == value)
    }

    @Test(arguments: ["", "word", "'open", "uint64", "uint64 x", "[1]", "uint9 1"])
    func `others are refused`(text: String) {
        #expect(VariantText(text) == nil)
        #expect(throws: Failure.self) {
            var properties = SystemdProperties()
            try properties.add(["org.systemd.property.KillSignal": text])
        }
    }

    @Test func `seconds become microseconds`() throws {
        var properties = SystemdProperties()
        try properties.add(["org.systemd.property.TimeoutStopSec": "uint64 10", "other": "x"])
        #expect(properties.names == ["TimeoutStopUSec"])
    }
}

@Suite struct IntelRdtTests {
    /// A directory that has the files of resctrl, where writing does no more than that.
    private final class Files {
        let root = "/tmp/apus-test-resctrl-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        init() { mkdir(root, 0o700) }
        deinit { try? FileDescriptor.workingDirectory.removeTree(root) }  // `try?`: the test has its result

        func add(_ name: String, _ schemata: String) {
            mkdir("\(root)/\(name)", 0o700)
            for (file, text) in [("tasks", ""), ("schemata", schemata)] {
                let opened = fopen("\(root)/\(name)/\(file)", "w")
                fputs(text, opened)
                fclose(opened)
            }
        }
    }

    @Test func `a class by name must be there when nothing says what it is`() throws {
        let files = Files()
        let group = try IntelRdtGroup(.init(closID: "gold"), id: "x", root: files.root)
        #expect(throws: Failure.self) { try group.enter() }
        files.add("gold", "")
        try group.enter()
    }

    @Test func `a class that is there is shared only if it is what was asked`() throws {
        let files = Files()
        files.add("gold", "    L3:0=0ff;1=f\nMB:0=100;1=50\n")
        func enter(_ cache: String, _ bandwidth: String? = nil) throws {
            try IntelRdtGroup(
                .init(closID: "gold", l3CacheSchema: cache, memBwSchema: bandwidth), id: "x", root: files.root
            )
            .enter()
        }
        try enter("L3:0=ff", "MB:1=50")
        #expect(throws: Failure.self) { try enter("L3:0=f") }
        #expect(throws: Failure.self) { try enter("L3:0=ff", "MB:1=60") }
    }

    @Test(arguments: ["a/b", "..", ""])
    func `a name that is none is refused`(name: String) {
        #expect(throws: Failure.self) { try IntelRdtGroup(.init(closID: name), id: "x", root: "/tmp") }
    }
}

@Suite struct ContainerStatisticsTests {
    @Test func `an event has the fields of runc`() {
        let text = String(
            decoding: ContainerEvent(type: "stats", id: "x", data: ContainerStatistics()).json(), as: UTF8.self)
        let beginning =
            #"{"type":"stats","id":"x","data":{"cpu":{"usage":{"kernel":0,"user":0},"throttling":{}},"cpuset":{"#
        #expect(text.hasPrefix(beginning))
        #expect(text.contains(#""pids":{},"blkio":{},"hugetlb":{},"intel_rdt":{}}"#))
        #expect(text.contains(#""memory":{"usage":{"limit":0,"failcnt":0}"#))
    }

    @Test func `pressure keeps its decimals`() throws {
        let pressure = ContainerStatistics.Pressure(
            "some avg10=0.05 avg60=12.30 avg300=7.00 total=99\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
        let text = String(decoding: pressure.json(), as: UTF8.self)
        #expect(text.hasPrefix(#"{"some":{"avg10":0.05,"avg60":12.3,"avg300":7,"total":99}"#))
        #expect(try ContainerStatistics.Pressure(json: Array(text.utf8)) == pressure)
    }

    @Test func `block devices are told by operation`() {
        var io = ContainerStatistics().blkio
        io.fill(v2: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n")
        #expect(io.serviceBytes?.map(\.op) == ["Read", "Write", "Discard"])
        #expect(io.serviced?.map(\.value) == [3, 4, nil])
        let entries = ContainerStatistics.BlockIO.entries("8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n")
        #expect(entries.map(\.op) == ["Read", "Total"])
    }
}

extension KernelTests {
    /// Cgroups as engines want them.
    @Suite(Requirement.any, .enabled(if: geteuid() == 0, "needs root")) struct Runtime {
        private func withCgroup(_ request: CgroupRequest, _ body: (any Cgroup) throws -> Void) throws {
            let cgroup = try #require(try Cgroups.create(request).cgroup)
            let paths = cgroup.record.directories.values
            defer {
                try? cgroup.remove()  // `try?`: what is left shows in the test of what is left
                // What an engine makes, it removes; what has others in it stays.
                for path in paths { rmdir(String(path[..<path.lastIndex(of: "/")!])) }
            }
            try body(cgroup)
        }

        @Test func `an absolute path is where the cgroup is`() throws {
            let id = TestCgroup.newID()
            try withCgroup(.init(id: id, path: "/apus-test/pod/\(id)", resources: .init(pids: .init(limit: 9)))) {
                cgroup in
                #expect(cgroup.record.directories.values.allSatisfy { $0.hasSuffix("/apus-test/pod/\(id)") })
                let again = try Cgroups.open(cgroup.record)
                #expect(again.record == cgroup.record)
                #expect(try again.containerStatistics().pids.limit == 9)
            }
        }

        @Test(arguments: [nil, "/apus-test/", "apus-test/"])
        func `what a killed runtime leaves is found by what was asked for`(place: String?) throws {
            let id = TestCgroup.newID()
            let request = CgroupRequest(id: id, path: place.map { $0 + id })
            try withCgroup(request) { cgroup in
                let found = try Cgroups.leftover(request)
                #expect(found.map(\.record.directories) == [cgroup.record.directories])
                for cgroup in found { try cgroup.remove() }
                #expect(try Cgroups.leftover(request).isEmpty)
            }
        }

        @Test func `without a path it is in the runtime's place`() throws {
            let id = TestCgroup.newID()
            try withCgroup(.init(id: id)) { cgroup in
                #expect(cgroup.record.directories.values.allSatisfy { $0.hasSuffix("/\(id)") })
            }
        }

        @Test func `a cgroup with processes is refused and left alone`() throws {
            let test = try TestCgroup()
            let pid = try test.start("exec sleep 100")
            try test.waitForProcesses(1)
            let mount = Hierarchies.mountPoint
            let path = test.cgroup.record.directories.first!
            let prefix = test.cgroup.record.kind == .v2 ? mount : "\(mount)/\(path.key)"
            let request = CgroupRequest(id: "x", path: String(path.value.dropFirst(prefix.utf8.count)))
            #expect { try Cgroups.create(request) } throws: { "\($0)".contains("container's cgroup is not empty") }
            #expect(try test.cgroup.processes() == [pid])
        }

        @Test func `an update changes limits and devices and a refused one nothing`() throws {
            let id = TestCgroup.newID()
            try withCgroup(.init(id: id, path: "/apus-test/\(id)", resources: .init(pids: .init(limit: 9)))) { cgroup in
                try cgroup.update(
                    .init(devices: [.init(allow: true, type: "c", major: 10, minor: 200)], pids: .init(limit: 0)),
                    specVersion: "1.3.0")
                #expect(try cgroup.containerStatistics().pids.limit == 1)
                #expect(throws: Failure.self) {
                    try cgroup.update(.init(cpu: .init(shares: 1), pids: .init(limit: 5)), specVersion: "1.2.0")
                }
                #expect(try cgroup.containerStatistics().pids.limit == 1)
            }
        }

        @Test func `a memory limit says nothing of swap`() throws {
            let id = TestCgroup.newID()
            try withCgroup(.init(id: id, path: "/apus-test/\(id)", resources: .init(memory: .init(limit: 64 << 20)))) {
                cgroup in
                let memory = try cgroup.containerStatistics().memory
                #expect(memory.usage.limit == 64 << 20)
                #expect(memory.swap.limit > 1 << 60 || memory.swap.limit == 0)
            }
        }

        @Test(.enabled(if: DelegatedUnit.isSystemdHere, "needs systemd"))
        func `systemd makes a scope and ends it`() throws {
            let id = TestCgroup.newID()
            let request = CgroupRequest(
                id: id, path: "system.slice:apus-test:\(id)", systemd: true,
                resources: .init(memory: .init(limit: 64 << 20), pids: .init(limit: 9)),
                annotations: ["org.systemd.property.CollectMode": "'inactive-or-failed'"])
            let cgroup = try #require(try Cgroups.create(request).cgroup)
            #expect(cgroup.record.unit == "apus-test-\(id).scope")
            let path = try #require(cgroup.record.directories["unified"])
            #expect(path == "/sys/fs/cgroup/system.slice/apus-test-\(id).scope")
            #expect(try CgroupDirectory(path).read("memory.max") == "67108864")
            try Cgroups.open(cgroup.record).update(.init(pids: .init(limit: 5)), specVersion: "1.2.0")
            #expect(try cgroup.containerStatistics().pids.limit == 5)
            try cgroup.remove()
            #expect(access(path, F_OK) != 0)
        }
    }
}
