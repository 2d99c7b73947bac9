import FoundationEssentials
import Glibc
import Linux
import OCI
import Testing

/// Containers that are saved to files and made again, by the CRIU of this machine.
@Suite struct CheckpointTests {
    /// Counts into a file of the container's, whose streams are the machine's /dev/null.
    private static let counter = "i=0; while :; do i=$((i+1)); echo $i >/count/now; sleep 0.1; done"

    private func withCounter(_ body: (OCIRuntime, _ count: () throws -> Int) throws -> Void) throws {
        try withRuntime(.root) { runtime in
            let directory = try runtime.apus.makeDirectory("count")
            try runtime.configure(script: Self.counter) {
                $0.mounts?.append(Spec.Mount(destination: "/count", type: "bind", source: directory, options: ["bind"]))
            }
            #expect(try Self.quietly(runtime, ["run", "-d", "-b", runtime.bundle, runtime.id()]) == 0)
            func count() throws -> Int {
                let text = try String(contentsOfFile: "\(directory)/now", encoding: .utf8)
                return Int(text.filter { $0 != "\n" }) ?? 0
            }
            try waitUntil(changing: [directory], "a number") {
                try access("\(directory)/now", F_OK) == 0 && count() > 2
            }
            try body(runtime, count)
        }
    }

    /// With /dev/null as all three streams.
    private static func quietly(_ runtime: OCIRuntime, _ words: [String]) throws -> Int32 {
        let script = #"exec "$@" >/dev/null 2>&1 </dev/null"#
        return try runtime.apus.startProgram(["/bin/sh", "-c", script, "sh"] + runtime.words(words)).waitForEnd()
    }

    @Test(Requirement.root, Requirement.criu, .timeLimit(.minutes(5)))
    func `a container that was saved is gone, and goes on counting when it is restored`() throws {
        try withCounter { runtime, count in
            let images = "\(runtime.apus.directory)/images"
            expectOutput(try runtime("checkpoint", "--image-path", images, runtime.id()), "")
            let saved = try count()
            runtime.expectFailure(try runtime("state", runtime.id()), naming: "does not exist")
            #expect(
                try Self.quietly(
                    runtime,
                    [
                        "restore", "--detach", "--bundle", runtime.bundle, "--image-path", images, "--pid-file",
                        "\(runtime.apus.directory)/pid", runtime.id(),
                    ]) == 0)
            let state = try runtime.state(runtime.id())
            #expect(state.status == .running)
            #expect(try String(contentsOfFile: "\(runtime.apus.directory)/pid", encoding: .utf8) == "\(state.pid ?? 0)")
            try waitUntil(changing: ["\(runtime.apus.directory)/count"], "a higher number") { try count() > saved + 2 }
            expectOutput(try runtime("exec", runtime.id(), "cat", "/proc/1/comm"), "sh")
        }
    }

    @Test(Requirement.root, Requirement.criu, .timeLimit(.minutes(5)))
    func `a container that is left running goes on, and can be restored when it is deleted`() throws {
        try withCounter { runtime, count in
            let images = "\(runtime.apus.directory)/images"
            expectOutput(try runtime("checkpoint", "--leave-running", "--image-path", images, runtime.id()), "")
            let saved = try count()
            try waitUntil(changing: ["\(runtime.apus.directory)/count"], "a higher number") { try count() > saved + 2 }
            expectOutput(try runtime("delete", "--force", runtime.id()), "")
            #expect(
                try Self.quietly(
                    runtime, ["restore", "-d", "-b", runtime.bundle, "--image-path", images, runtime.id("again")]) == 0)
            #expect(try runtime.state(runtime.id("again")).status == .running)
        }
    }
}

extension Requirement {
    /// For tests of what CRIU does: it has to be there, and to get along with this kernel.
    static var criu: ConditionTrait {
        .enabled("needs a criu that works with this kernel: see criu check") {
            guard Machine.isRoot else { return false }
            // `try?`: no criu
            let outcome = try? RunningProcess(["/usr/sbin/criu", "check"], environment: [:], directory: "/").wait()
            return outcome?.status == 0
        }
    }
}
