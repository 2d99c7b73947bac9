import FoundationEssentials
import Glibc
import Linux
import OCI
import Testing

/// Limits, devices and cgroup paths of a Spec, and the commands that stop, change and count what runs.
///
/// - Note: OCI Runtime Specification, config-linux.md, "Control groups".
@Suite struct RuntimeResourceTests {
    // MARK: Paths

    @Test(Requirement.root) func `an absolute path is where the container is in every hierarchy`() throws {
        try withRuntime(.root) { runtime in
            let path = "/\(runtime.id("pod"))/\(runtime.id())"
            try runtime.configure(["sleep", "1000"]) { $0.linux?.cgroupsPath = path }
            try runtime.create(runtime.id())
            defer { Self.removeParent(runtime.id("pod")) }
            let pid = try #require(try runtime.state(runtime.id()).pid)
            let lines = try String(contentsOfFile: "/proc/\(pid)/cgroup", encoding: .utf8).split(separator: "\n")
            let inside = lines.filter { $0.hasSuffix(path) }.count
            // On a machine with both, v2 has no controllers, and nothing of the container's.
            #expect(inside == (Machine.hasCgroupV2 ? 1 : lines.filter { !$0.hasPrefix("0::") }.count), "\(lines)")
            expectOutput(try runtime("delete", "--force", runtime.id()), "")
        }
    }

    /// What an engine makes, it removes.
    private static func removeParent(_ name: String) {
        // `try?`: none
        let hierarchies = (try? FileManager.default.contentsOfDirectory(atPath: "/sys/fs/cgroup")) ?? []
        for path in [name] + hierarchies.map({ "\($0)/\(name)" }) { rmdir("/sys/fs/cgroup/\(path)") }
    }

    @Test(Requirement.systemd, arguments: Caller.withLimits)
    func `systemd makes a scope of a slice, a prefix and a name`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"]) {
                $0.linux?.cgroupsPath = ":apus-test:\(runtime.id())"
                $0.linux?.resources = Spec.Resources(pids: Spec.Pids(limit: 7))
            }
            let made = try runtime.leaving("--systemd-cgroup", "create", "--bundle", runtime.bundle, runtime.id())
            try #require(made.status == 0, "\(made)")
            let pid = try #require(try runtime.state(runtime.id()).pid)
            let line = try String(contentsOfFile: "/proc/\(pid)/cgroup", encoding: .utf8)
            let path = line.dropFirst("0::".count).dropLast()
            let slice = caller == .root ? "system.slice" : "user.slice"
            #expect(path.hasSuffix("/\(slice)/apus-test-\(runtime.id()).scope"), "\(line)")
            let scope = "/sys/fs/cgroup\(path)"
            #expect(try String(contentsOfFile: "\(scope)/cgroup.procs", encoding: .utf8) == "\(pid)\n")
            func limit() throws -> String { try String(contentsOfFile: "\(scope)/pids.max", encoding: .utf8) }
            let first = try limit()
            #expect(first == "7\n")
            expectOutput(try runtime("start", runtime.id()), "")
            expectOutput(try runtime("update", "--pids-limit", "9", runtime.id()), "")
            let second = try limit()
            #expect(second == "9\n")
            expectOutput(try runtime("delete", "--force", runtime.id()), "")
            #expect(access(scope, F_OK) != 0)
        }
    }

    @Test(Requirement.root) func `a path that leads up is refused`() throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(["true"]) { $0.linux?.cgroupsPath = "/a/../../b" }
            runtime.expectFailure(try runtime("run", "--bundle", runtime.bundle, runtime.id()), naming: "/a/../../b")
        }
    }

    // MARK: Limits

    @Test(Requirement.root) func `a command as small as busybox runs within 256 KiB`() throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(["true"]) { $0.linux?.resources?.memory = Spec.Memory(limit: 256 << 10) }
            // On cgroup v2 the kernel charges more to it.
            if Machine.hasCgroupV2 { return }
            for _ in 0..<5 { expectOutput(try runtime("run", "--bundle", runtime.bundle, runtime.id()), "") }
        }
    }

    @Test(Requirement.root) func `a limit that cannot hold is refused by its name`() throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(["true"]) { $0.linux?.resources?.cpu = Spec.CPU(cpus: "4000") }
            runtime.expectFailure(
                try runtime("run", "--bundle", runtime.bundle, runtime.id()), naming: "cpuset-cpus", "4000")
            try runtime.configure(["true"]) { $0.linux?.intelRdt = Spec.IntelRdt(l3CacheSchema: "L3:0=f") }
            guard access("/sys/fs/resctrl/schemata", F_OK) != 0 else { return }
            runtime.expectFailure(
                try runtime("run", "--bundle", runtime.bundle, runtime.id()), naming: "linux.intelRdt", "resctrl")
        }
    }

    @Test(Requirement.root) func `devices are denied unless a rule allows them`() throws {
        try withRuntime(.root) { runtime in
            // Made inside, as a container may that has the capability. The second has no driver: the kernel says so only
            // to those who may open it.
            let script =
                "mknod /dev/shm/zero c 1 5 && head -c 1 /dev/shm/zero >/dev/null && mknod /dev/shm/none c 1 6 && "
                + "exec 3</dev/shm/none"
            func run(_ rules: [Spec.DeviceRule]) throws -> Outcome {
                try runtime.configure(script: script) { spec in
                    let all = ["CAP_MKNOD"]
                    spec.process?.capabilities = Spec.Capabilities(bounding: all, effective: all, permitted: all)
                    spec.linux?.resources?.devices = rules
                    let index = spec.mounts?.firstIndex { $0.destination == "/dev/shm" }
                    spec.mounts?[index!].options?.removeAll { $0 == "nodev" }
                }
                return try runtime("run", "--bundle", runtime.bundle, runtime.id())
            }
            let denied = try run([.init(allow: false)])
            #expect(denied.errors.contains("Operation not permitted"), "\(denied)")
            let allowed = try run([.init(allow: false), .init(allow: true, type: "c", major: 1, minor: 6, access: "r")])
            #expect(allowed.errors.contains("No such device"), "\(allowed)")
        }
    }

    // MARK: Commands

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `a paused container stands still until it is resumed`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"])
            try runtime.create(runtime.id())
            _ = try runtime("start", runtime.id())
            runtime.expectFailure(try runtime("resume", runtime.id()), naming: "container not paused")
            expectOutput(try runtime("pause", runtime.id()), "")
            #expect(try runtime.state(runtime.id()).status == .paused)
            runtime.expectFailure(try runtime("pause", runtime.id()), naming: "container not running")
            expectOutput(try runtime("resume", runtime.id()), "")
            #expect(try runtime.state(runtime.id()).status == .running)
            // Also what each of these has it join is gone with it.
            expectOutput(try runtime("kill", "--all", runtime.id(), "9"), "")
            try runtime.waitForEnd(runtime.id())
            expectOutput(try runtime("delete", runtime.id()), "")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `limits are changed by options, a file and standard input, and counted`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"])
            try runtime.create(runtime.id())
            _ = try runtime("start", runtime.id())
            func statistics() throws -> ContainerStatistics {
                let outcome = try runtime("events", "--stats", runtime.id())
                let event = try ContainerEvent(json: Array(outcome.output.utf8))
                #expect(event.type == "stats" && event.id == runtime.id())
                return try #require(event.data)
            }
            expectOutput(try runtime("update", "--pids-limit", "17", "--memory", "64m", runtime.id()), "")
            #expect(try statistics().pids.limit == 17)
            #expect(try statistics().memory.usage.limit == 64 << 20)
            let file = try runtime.apus.file("resources", #"{"pids":{"limit":18},"blockIO":{"weight":0}}"#)
            expectOutput(try runtime("update", "--resources=\(file)", runtime.id()), "")
            #expect(try statistics().pids.limit == 18)
            #expect(try statistics().memory.usage.limit == 64 << 20)
            let process = try runtime.apus.startProgram(runtime.words(["update", "--resources", "-", runtime.id()]))
            try process.write(#"{"memory":{"limit":33554432}}"#)
            process.closeInput()
            expectOutput(try process.wait(), "")
            #expect(try statistics().memory.usage.limit == 32 << 20)
            runtime.expectFailure(
                try runtime("update", "--memory", "much", runtime.id()), naming: "memory", "much")
            runtime.expectFailure(
                try runtime(
                    "update", "--resources", try runtime.apus.file("bad", #"{"pids":{"limit":"x"}}"#), runtime.id()),
                naming: "pids.limit")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `processes are listed as numbers and as a table`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["sleep", "1000"])
            try runtime.create(runtime.id())
            _ = try runtime("start", runtime.id())
            let pid = try #require(try runtime.state(runtime.id()).pid)
            expectOutput(try runtime("ps", "--format", "json", runtime.id()), "[\(pid)]")
            let table = try runtime("ps", runtime.id()).lines
            #expect(table.count == 2 && table[0].contains("PID") && table[1].contains("sleep 1000"), "\(table)")
            _ = try runtime("kill", runtime.id(), "KILL")
            try runtime.waitForEnd(runtime.id())
            for verb in ["ps", "pause", "update", "events"] {
                runtime.expectFailure(try runtime(verb, runtime.id()), naming: "not running")
            }
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `events tell what is used and when memory runs out until the end`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(script: "sleep 2; \(Script.eatMemory)") {
                $0.linux?.resources = Spec.Resources(memory: Spec.Memory(limit: 32 << 20))
            }
            try runtime.create(runtime.id())
            _ = try runtime("start", runtime.id())
            let events = try runtime("events", "--interval", "200ms", runtime.id())
            let kinds = try events.lines.map { try ContainerEvent(json: Array($0.utf8)).type }
            #expect(kinds.first == "stats" && kinds.last == "oom" && events.status == 0, "\(events)")
        }
    }
}
