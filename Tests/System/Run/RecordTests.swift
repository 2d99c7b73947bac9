import FoundationEssentials
import Glibc
import Testing

/// What a container is called and what is kept about it.
@Suite struct RecordTests {
    @Test(arguments: Caller.available)
    func `--cidfile gets the whole ID`(caller: Caller) throws {
        try withApus(caller) { apus in
            let path = "\(apus.directory)/cid"
            let id = try apus.detached(["--cidfile", path], ["sleep", "1000"])
            #expect(try String(contentsOfFile: path, encoding: .utf8) == id)
            #expect(id.utf8.count == 64)
        }
    }

    @Test(arguments: Caller.available)
    func `labels come from flags and files, the flags winning`(caller: Caller) throws {
        try withApus(caller) { apus in
            let file = try apus.file("labels", "from=file\nboth=file\n")
            let flags = ["--label-file", file, "-l", "both=flag", "--label", "bare", "--name", "labelled"]
            expectOutput(try apus(["create"] + flags + ["--rootfs", Machine.busybox, "true"]), try only(apus))
            let format = "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}"
            expectOutput(try apus("inspect", "--format", format, "labelled"), "bare=;both=flag;from=file;")
        }
    }

    private func only(_ apus: Apus) throws -> String {
        try FileManager.default.contentsOfDirectory(atPath: "\(apus.data)/containers").joined()
    }

    @Test(arguments: Caller.available)
    func `a name is found by every command, and free again after the container`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached(["--name", "web.1_a-b"], ["sleep", "1000"])
            expectOutput(try apus("exec", "web.1_a-b", "hostname"), String(id.prefix(12)))
            expectOutput(try apus("exec", String(id.prefix(5)), "hostname"), String(id.prefix(12)))
            expectOutput(try apus("rm", "-f", "web.1_a-b"), "web.1_a-b")
            expectOutput(try apus.run(["--name", "web.1_a-b"], "true"), "")
        }
    }

    @Test(arguments: Caller.available)
    func `a container without a name gets one`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached([], ["sleep", "1000"])
            let names = try apus("ps", "--format", "{{.Names}}")
            #expect(names.text.contains("_"), "\(names)")
            expectOutput(try apus("exec", names.text, "hostname"), String(id.prefix(12)))
        }
    }

    @Test(arguments: Caller.available)
    func `annotations are in the container's spec`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached(["--annotation", "org.example.key=value"], ["sleep", "1000"])
            let spec = try String(contentsOfFile: "\(apus.data)/containers/\(id)/spec.json", encoding: .utf8)
            #expect(spec.contains("\"org.example.key\"") && spec.contains("\"value\""))
        }
    }
}
