import FoundationEssentials
import Glibc
import Linux
import OCI
import Testing

/// Configurations that are none: each is refused in one line that says what is wrong, and nothing waits or is left.
@Suite struct BadConfigTests {
    private func refuses(
        _ words: String..., location: SourceLocation = #_sourceLocation, _ make: (OCIRuntime, String) throws -> Void
    ) throws {
        try withRuntime(Caller.available[0]) { runtime in
            let path = "\(runtime.bundle)/config.json"
            unlink(path)
            try make(runtime, path)
            for verb in ["run", "create"] {
                let outcome = try runtime(verb, "--bundle", runtime.bundle, runtime.id())
                let line = outcome.errors
                #expect(
                    outcome.status == 1 && line.split(separator: "\n").count == 1
                        && words.allSatisfy { line.contains($0) },
                    "\(words) wanted, but \(outcome)", sourceLocation: location)
            }
            unlink(path)
        }
    }

    @Test func `what is not a file is not read`() throws {
        try refuses("config.json", "not a regular file") { _, path in
            try check("mkfifo") { mkfifo(path, 0o644) }
        }
        try refuses("config.json", "not a regular file") { _, path in
            try check("symlink") { symlink("/dev/zero", path) }
        }
        try refuses("config.json", "symbolic links") { _, path in
            try check("symlink") { symlink("config.json", path) }
        }
        try refuses("config.json not found") { _, _ in }
    }

    @Test func `a file that is too large or too deep is not taken`() throws {
        try refuses("config.json", "larger than 8 MiB") { _, path in
            try Data(repeating: UInt8(ascii: " "), count: (8 << 20) + 1).write(to: URL(filePath: path))
        }
        try refuses("config.json", "in each other") { runtime, _ in
            try runtime.apus.file("bundle/config.json", String(repeating: "[", count: 100_000))
        }
    }

    @Test func `a file that a symlink leads to is taken`() throws {
        try withRuntime(Caller.available[0]) { runtime in
            let path = "\(runtime.bundle)/config.json"
            try runtime.configure(["echo", "taken"])
            try check("rename") { rename(path, "\(runtime.bundle)/other.json") }
            try check("symlink") { symlink("other.json", path) }
            expectOutput(try runtime("run", "--bundle", runtime.bundle, runtime.id()), "taken")
        }
    }

    @Test(arguments: [
        (#"{"ociVersion":"1.2.0","hostname":7}"#, "hostname: expected a string"),
        (#"{"ociVersion":"1.2.0","process":{"args":["a",1]}}"#, "process.args[1]: expected a string"),
        (#"{"ociVersion":"1.2.0","linux":{"namespaces":[{"type":"odd"}]}}"#, "linux.namespaces[0].type"),
        (#"{"ociVersion":"1.2.0","linux":{"resources":{"memory":{"limit":"1"}}}}"#, "linux.resources.memory.limit"),
        (#"{"ociVersion":"1.2.0","mounts":[{"destination":"/a"},{"source":"b"}]}"#, "mounts[1].destination"),
        (#"{"ociVersion":"1.2.0","hooks":{"poststop":[{"path":1}]}}"#, "hooks.poststop[0].path"),
        (#"{}"#, "ociVersion"), (#"[]"#, "expected an object"), ("", "not valid JSON"),
    ])
    func `a wrong type is told by its place`(text: String, words: String) throws {
        try refuses(words) { runtime, _ in try runtime.apus.file("bundle/config.json", text) }
    }

    @Test(arguments: [
        (Spec.Hook(path: "true"), "hooks.createRuntime[0].path"),
        (Spec.Hook(path: ""), "hooks.createRuntime[0].path"),
        (Spec.Hook(path: "/bin/true", timeout: 0), "hooks.createRuntime[0].timeout"),
        (Spec.Hook(path: "/bin/true", timeout: -3), "hooks.createRuntime[0].timeout"),
    ])
    func `a hook that could not run is refused before anything is made`(hook: Spec.Hook, words: String) throws {
        try refuses(words) { runtime, _ in
            try runtime.configure(["true"]) { $0.hooks = Spec.Hooks(createRuntime: [hook]) }
        }
    }

    @Test func `a container without mounts of its own is refused, since they would stay on the machine`() throws {
        try refuses("linux.namespaces", "'mount'") { runtime, _ in
            try runtime.configure(["true"]) { $0.linux?.namespaces?.removeAll { $0.type == .mount } }
        }
    }

    @Test(.enabled(if: !Machine.hasCgroupV2, "on cgroup v2 it is no failure"), Requirement.root)
    func `a remedy names no option that this command has not got`() throws {
        try withRuntime(.root) { runtime in
            try runtime.configure(["true"]) { $0.linux?.resources = Spec.Resources(unified: ["memory.max": "1048576"]) }
            let outcome = try runtime("run", "--bundle", runtime.bundle, runtime.id())
            runtime.expectFailure(outcome, naming: "memory.max")
            #expect(!outcome.errors.contains("--limits"), "\(outcome)")
        }
    }
}
