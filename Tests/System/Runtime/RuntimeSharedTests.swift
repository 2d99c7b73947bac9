import Glibc
import Linux
import OCI
import Testing

/// What containers of engines share with others, as the ones of a pod do.
@Suite struct RuntimeSharedTests {
    @Test(Requirement.root, .timeLimit(.minutes(2)))
    func `a container that joins the namespaces of another is created, started and entered`() throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(["sleep", "1000"]) { $0.hostname = "pod" }
            try runtime.create(runtime.id("pause"))
            expectOutput(try runtime("start", runtime.id("pause")), "")
            let pause = try #require(try runtime.state(runtime.id("pause")).pid)
            try runtime.configure(["sleep", "2000"]) { spec in
                for kind in [(Spec.NamespaceType.pid, "pid"), (.ipc, "ipc"), (.uts, "uts"), (.network, "net")] {
                    spec.linux?.namespaces?.removeAll { $0.type == kind.0 }
                    spec.linux?.namespaces?.append(Spec.Namespace(type: kind.0, path: "/proc/\(pause)/ns/\(kind.1)"))
                }
                spec.hostname = nil
            }
            try runtime.create(runtime.id("side"))
            expectOutput(try runtime("start", runtime.id("side")), "")
            expectOutput(
                try runtime("exec", runtime.id("side"), "sh", "-c", "hostname; tr '\\0' ' ' </proc/1/cmdline"),
                "pod\nsleep 1000")
        }
    }

    @Test(Requirement.root) func `a cgroup right below the root is found again`() throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(["sleep", "1000"]) { $0.linux?.cgroupsPath = "/\(runtime.id())" }
            try runtime.create(runtime.id())
            expectOutput(try runtime("start", runtime.id()), "")
            expectOutput(try runtime("exec", runtime.id(), "true"), "")
            expectOutput(try runtime("delete", "--force", runtime.id()), "")
        }
    }

    @Test(arguments: Caller.available)
    func `a mount without a device has the name that it was given`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            try runtime.configure(["grep", "-E", " /(run|proc) ", "/proc/mounts"]) {
                $0.mounts?.append(Spec.Mount(destination: "/run", type: "tmpfs", source: "some-name"))
            }
            let outcome = try runtime("run", "-b", runtime.bundle, runtime.id())
            #expect(outcome.output.contains("some-name /run tmpfs"), "\(outcome)")
            #expect(outcome.output.contains("proc /proc proc") || caller != .root, "\(outcome)")
        }
    }
}
