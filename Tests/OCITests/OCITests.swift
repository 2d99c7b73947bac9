import FoundationEssentials
import OCI
import Testing

@Suite struct `config.json` {
    @Test func `a spec reads back as it was written`() throws {
        let spec = Spec(
            process: Spec.Process(user: Spec.User(uid: 1, gid: 2, umask: 0o22), args: ["sh"], cwd: "/"),
            root: Spec.Root(path: "rootfs", readonly: true),
            mounts: [Spec.Mount(destination: "/proc", type: "proc", source: "proc", options: ["nosuid"])],
            linux: Spec.Linux(
                uidMappings: [Spec.IDMapping(containerID: 0, hostID: 1000, size: 1)],
                resources: Spec.Resources(memory: Spec.Memory(limit: 1 << 40), pids: Spec.Pids(limit: -1)),
                namespaces: [Spec.Namespace(type: .pid), Spec.Namespace(type: .network, path: "/proc/1/ns/net")],
                seccomp: Spec.Seccomp(
                    defaultAction: .errno,
                    syscalls: [
                        .init(names: ["clone"], action: .allow, args: [.init(index: 0, value: .max, op: .maskedEqual)])
                    ])))
        #expect(try Spec.decode(spec.encoded()) == spec)
    }

    @Test func `slashes are written as they are`() throws {
        let text = String(decoding: try Spec(root: Spec.Root(path: "/a/b")).encoded(), as: UTF8.self)
        #expect(text.contains("\"/a/b\""))
    }

    @Test func `fields that are not known are ignored`() throws {
        let spec = try decode(#"{"ociVersion":"1.3.0","vm":{},"linux":{"netDevices":{},"cgroupsPath":"a"},"x":[1]}"#)
        #expect(spec.linux?.cgroupsPath == "a")
    }

    @Test func `a process without a user runs as root`() throws {
        let spec = try decode(#"{"ociVersion":"1.0.0","process":{"cwd":"/","args":["a"]}}"#)
        #expect(spec.process?.user == Spec.User())
    }

    @Test func `null stands for a missing field`() throws {
        let spec = try decode(
            #"{"ociVersion":"1.0.0","mounts":null,"process":{"cwd":"/","user":{"uid":5}},"linux":null}"#)
        #expect(spec.mounts == nil && spec.process?.user.uid == 5)
    }

    @Test func `a FIFO needs no device numbers`() throws {
        let spec = try decode(#"{"ociVersion":"1.0.0","linux":{"devices":[{"path":"/p","type":"p"}]}}"#)
        #expect(spec.linux?.devices == [Spec.Device(path: "/p", type: "p")])
    }

    @Test(arguments: [
        (#"{"linux":{"resources":{"memory":{"limit":"1"}}}}"#, "linux.resources.memory.limit: expected a number"),
        (#"{"linux":{"resources":{"pids":{}}}}"#, "linux.resources.pids.limit: missing"),
        (#"{"mounts":[{"destination":"/"},{"destination":7}]}"#, "mounts[1].destination: expected a string"),
        (#"{"mounts":[{}]}"#, "mounts[0].destination: missing"),
        (#"{"mounts":{}}"#, "mounts: expected a list"),
        (#"{"process":[]}"#, "process: expected an object"),
        (#"{"process":{"cwd":"/","terminal":1}}"#, "process.terminal: expected true or false"),
        (#"{"process":{"cwd":"/","env":[null]}}"#, "process.env[0]: expected a string, found null"),
        (
            #"{"process":{"cwd":"/","user":{"uid":-1}}}"#,
            "process.user.uid: a number that is negative, broken or too large for this field"
        ),
        (
            #"{"process":{"cwd":"/","user":{"uid":4294967296}}}"#,
            "process.user.uid: a number that is negative, broken or too large for this field"
        ),
        (
            #"{"process":{"cwd":"/","user":{"uid":1.5}}}"#,
            "process.user.uid: a number that is negative, broken or too large for this field"
        ),
        (
            #"{"process":{"cwd":"/","user":{"uid":-1},"rlimits":[{"type":"a","hard":18446744073709551615,"soft":0}]}}"#,
            "process.user.uid: a number that is negative, broken or too large for this field"
        ),
        (#"{"annotations":{"a":1}}"#, "annotations.a: expected a string"),
        (#"{"linux":{"namespaces":[{"type":"net"}]}}"#, "linux.namespaces[0].type: unknown value 'net'"),
        (#"{"linux":{"namespaces":[{"type":3}]}}"#, "linux.namespaces[0].type: expected a string"),
        (#"{"linux":{"seccomp":{"defaultAction":"ALLOW"}}}"#, "linux.seccomp.defaultAction: unknown value 'ALLOW'"),
    ])
    func `a wrong value is named by its place`(json: String, message: String) throws {
        let whole = json.replacing("{", with: #"{"ociVersion":"1.2.0","#, maxReplacements: 1)
        let error = #expect(throws: SpecError.self) { try decode(whole) }
        #expect(error?.description == message)
    }

    @Test func `a missing version is named`() {
        let error = #expect(throws: SpecError.self) { try decode("{}") }
        #expect(error?.description == "ociVersion: missing")
    }

    @Test(arguments: ["", "{", "{]", "{\"ociVersion\":\"1.0.0\",}}", "\u{0}"])
    func `what is no JSON is called that`(text: String) {
        let error = #expect(throws: SpecError.self) { try decode(text) }
        #expect(error?.reason.hasPrefix("not valid JSON") == true)
    }

    @Test(arguments: ["[]", "3"])
    func `what is no object is called that`(text: String) {
        let error = #expect(throws: SpecError.self) { try decode(text) }
        #expect(error?.description == "expected an object")
    }

    private func decode(_ text: String) throws(SpecError) -> Spec { try Spec.decode(Data(text.utf8)) }
}
