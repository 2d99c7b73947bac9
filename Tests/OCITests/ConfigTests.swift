import OCI
import Testing

@Suite struct `config.json` {
    @Test func `fields that are not known are ignored, whatever they hold`() throws {
        let spec = try decode(
            #"{"ociVersion":"1.3.0","vm":{"a":[{},[null]]},"linux":{"x":1e9,"cgroupsPath":"a"},"x":[1,"]"]}"#)
        #expect(spec.linux?.cgroupsPath == "a")
    }

    @Test func `names are compared exactly`() throws {
        let spec = try decode(#"{"ociVersion":"1.0.0","Hostname":"a","HOSTNAME":"b","hostname ":"c"}"#)
        #expect(spec.hostname == nil)
    }

    @Test func `a name may be written with escapes`() throws {
        #expect(try decode(#"{"ociVersion":"1.0.0","host\u006eame":"a"}"#).hostname == "a")
    }

    @Test func `of fields with one name the last counts`() throws {
        let spec = try decode(
            #"{"ociVersion":"1.0.0","hostname":7,"linux":{"sysctl":{"a":"1","a":"2"}},"hostname":"b"}"#)
        #expect(spec.hostname == "b")
        #expect(spec.linux?.sysctl == ["a": "2"])
    }

    @Test func `a process without a user runs as root`() throws {
        let spec = try decode(#"{"ociVersion":"1.0.0","process":{"cwd":"/","args":["a"]}}"#)
        #expect(spec.process?.user == Spec.User())
    }

    @Test func `null stands for a missing field`() throws {
        let spec = try decode(
            #"{"ociVersion":"1.0.0","mounts":null,"process":{"cwd":"/","user":{"uid":5,"gid":null}},"linux":null}"#)
        #expect(spec.mounts == nil && spec.process?.user.uid == 5)
    }

    @Test func `a FIFO needs no device numbers`() throws {
        let spec = try decode(#"{"ociVersion":"1.0.0","linux":{"devices":[{"path":"/p","type":"p"}]}}"#)
        #expect(spec.linux?.devices == [Spec.Device(path: "/p", type: "p")])
    }

    @Test func `slashes are written as they are`() {
        let text = String(decoding: Spec(root: Spec.Root(path: "/a/b")).json(), as: UTF8.self)
        #expect(text == #"{"ociVersion":"1.2.0","root":{"path":"/a/b"}}"#)
    }

    @Test(arguments: [
        (
            #"{"linux":{"resources":{"memory":{"limit":"1"}}}}"#,
            "linux.resources.memory.limit: expected an integer, got a string"
        ),
        (
            #"{"linux":{"resources":{"hugepageLimits":[{"pageSize":"2MB"}]}}}"#,
            "linux.resources.hugepageLimits[0].limit: missing"
        ),
        (
            #"{"mounts":[{"destination":"/"},{"destination":7}]}"#,
            "mounts[1].destination: expected a string, got 7"
        ),
        (#"{"mounts":[{}]}"#, "mounts[0].destination: missing"),
        (#"{"mounts":[{"destination":null}]}"#, "mounts[0].destination: missing"),
        (#"{"mounts":{}}"#, "mounts: expected a list, got an object"),
        (#"{"process":[]}"#, "process: expected an object, got a list"),
        (#"{"process":{"cwd":"/","terminal":1}}"#, "process.terminal: expected true or false, got 1"),
        (#"{"process":{"cwd":"/","env":[null]}}"#, "process.env[0]: expected a string, got null"),
        (#"{"process":{"cwd":false}}"#, "process.cwd: expected a string, got false"),
        (#"{"annotations":{"a":1}}"#, "annotations.a: expected a string, got 1"),
        (#"{"annotations":[]}"#, "annotations: expected an object, got a list"),
        (
            #"{"linux":{"rdma":1,"resources":{"rdma":{"a":{},"b":2}}}}"#,
            "linux.resources.rdma.b: expected an object, got 2"
        ),
        (#"{"linux":{"namespaces":[{"type":"net"}]}}"#, "linux.namespaces[0].type: unknown value 'net'"),
        (#"{"linux":{"namespaces":[{"type":3}]}}"#, "linux.namespaces[0].type: expected a string, got 3"),
        (#"{"linux":{"seccomp":{"defaultAction":"ALLOW"}}}"#, "linux.seccomp.defaultAction: unknown value 'ALLOW'"),
        (#"{"hostname":"a\u0000b"}"#, "hostname: a NUL character"),
        (#"{"annotations":{"a\u0000":"b"}}"#, "annotations.a?: a NUL character"),
        (#"{"linux":{"namespaces":[{"type":"\u001b[2J\n"}]}}"#, "linux.namespaces[0].type: unknown value '?[2J?'"),
    ])
    func `a wrong value is named by its place`(json: String, message: String) throws {
        try expect(json, message)
    }

    @Test(arguments: [
        ("-1", "0 to 4294967295"), ("4294967296", "0 to 4294967295"), ("1.5", "0 to 4294967295"),
        ("1e3", "0 to 4294967295"), ("-1.0", "0 to 4294967295"), ("99999999999999999999999", "0 to 4294967295"),
    ])
    func `a number that does not fit is shown`(number: String, range: String) throws {
        try expect(
            #"{"process":{"cwd":"/","user":{"uid":\#(number)}}}"#,
            "process.user.uid: expected an integer from \(range), got \(number)")
    }

    @Test func `a number is shown only if it is short`() throws {
        try expect(
            #"{"process":{"cwd":"/","oomScoreAdj":\#(String(repeating: "9", count: 10_000))}}"#,
            "process.oomScoreAdj: expected an integer from \(Int64.min) to \(Int64.max), got a number of many digits")
    }

    @Test func `minus zero is zero`() throws {
        #expect(try decode(#"{"ociVersion":"1.0.0","process":{"cwd":"/","user":{"uid":-0}}}"#).process?.user.uid == 0)
    }

    @Test func `a missing version is named`() {
        let error = #expect(throws: SpecError.self) { try decode("{}") }
        #expect(error?.description == "ociVersion: missing")
    }

    @Test(arguments: [("[]", "a list"), ("3", "3"), ("null", "null"), (#""a""#, "a string")])
    func `what is no object is called that`(text: String, kind: String) {
        let error = #expect(throws: SpecError.self) { try decode(text) }
        #expect(error?.description == "expected an object, got \(kind)")
    }

    /// - Parameter json: Without a version.
    private func expect(_ json: String, _ message: String) throws {
        let whole = json.replacing("{", with: #"{"ociVersion":"1.2.0","#, maxReplacements: 1)
        let error = #expect(throws: SpecError.self) { try decode(whole) }
        #expect(error?.description == message)
    }

    private func decode(_ text: String) throws(SpecError) -> Spec { try Spec(json: Array(text.utf8)) }
}
