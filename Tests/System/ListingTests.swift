import Glibc
import Testing

/// `apus ps` and `apus inspect`: what is shown, to people and to programs.
@Suite struct ListingTests {
    @Test(arguments: Caller.available)
    func `ps shows the running ones, and all with -a, in Docker's columns`(caller: Caller) throws {
        try withApus(caller) { apus in
            let id = try apus.detached("up")
            try apus.create("down", command: ["true"])
            let lines = try apus("ps").lines
            #expect(lines.count == 2)
            let titles = ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
            var rest = lines[0][...]
            for title in titles {
                let found = try #require(rest.firstRange(of: title), "\(title) in \(lines[0])")
                rest = rest[found.upperBound...]
            }
            #expect(lines[1].hasPrefix(id.prefix(12)))
            #expect(lines[1].hasSuffix(" up"))
            #expect(lines[1].contains("\"sleep 1000\""))
            #expect(lines[1].contains("Up "))
            #expect(try apus("ps", "-a").lines.count == 3)
        }
    }

    @Test func `without containers there is the head of the table alone`() throws {
        try withApus(.own) { apus in
            let table = try apus("ps").lines
            #expect(table.count == 1)
            #expect(try apus("ps", "-q") == .printed(""))
            #expect(try apus("ps", "--format", "json") == .printed(""))
        }
    }

    @Test func `ps tells mounts, volumes and the network to who asks`() throws {
        try withApus(.own) { apus in
            let shared = try apus.makeDirectory("a-directory-with-a-long-name")
            try apus.create(
                "box", ["-v", "\(shared):/mnt", "-v", "data:/data", "--network", "host"], command: ["true"])
            let format = "{{.Mounts}} {{.LocalVolumes}} {{.Networks}}"
            #expect(try apus("ps", "-a", "--no-trunc", "--format", format).lines == ["\(shared),data 1 host"])
            #expect(try apus("ps", "-a", "--format", format).lines == ["\(shared.prefix(14))…,data 1 host"])
            #expect(try apus("ps", "-a", "--format", "json").output.contains(#""Networks":"host""#))
        }
    }

    @Test func `-q shows IDs, --no-trunc whole ones, -l and -n the newest`() throws {
        try withApus(.own) { apus in
            let ids = try ["first", "second", "third"].map { try apus.create($0, command: ["true"]) }
            #expect(try apus("ps", "-aq").lines == ids.reversed().map { String($0.prefix(12)) })
            #expect(try apus("ps", "-aq", "--no-trunc").lines == ids.reversed())
            #expect(try apus("ps", "-lq", "--no-trunc").lines == [ids[2]])
            #expect(try apus("ps", "-n", "2", "-q", "--no-trunc").lines == [ids[2], ids[1]])
        }
    }

    @Test(arguments: [
        (["name=al"], ["alpha"]), (["name=^alpha$"], ["alpha"]), (["name=a"], ["alpha", "beta", "gamma"]),
        (["label=tier"], ["alpha", "beta"]), (["label=tier=front"], ["alpha"]),
        (["label=tier", "label=zone=1"], ["beta"]), (["status=created"], ["gamma"]), (["status=running"], ["beta"]),
        (["status=running", "status=created"], ["beta", "gamma"]), (["exited=3"], ["alpha"]), (["exited=0"], []),
        (["name=beta", "name=gamma"], ["beta", "gamma"]), (["since=alpha"], ["beta", "gamma"]),
        (["before=gamma"], ["alpha", "beta"]), (["name=beta", "status=created"], []),
    ])
    func `filters of one kind add up and those of different kinds narrow`(
        filters: [String], expected: [String]
    ) throws {
        try withApus(.own) { apus in
            _ = try apus.runContainer(["--name", "alpha", "-l", "tier=front"], ["sh", "-c", "exit 3"])
            try apus.detached("beta", ["--label", "tier=back", "--label", "zone=1"])
            try apus.create("gamma", command: ["true"])
            let words = ["ps", "-a", "--format", "{{.Names}}"] + filters.flatMap { ["--filter", $0] }
            #expect(try apus(words).lines.sorted() == expected)
        }
    }

    @Test(arguments: ["colour=red", "status=asleep", "name", "exited=many", "name=["])
    func `a filter that does not exist is a usage error`(filter: String) throws {
        try withApus(.own) { apus in
            let result = try apus("ps", "--filter", filter)
            #expect(result.status == 125)
            #expect(result.output.isEmpty)
            #expect(result.errors.contains(filter))
        }
    }

    @Test(
        arguments: [
            ("{{.Names}} {{.State}}", "shown created"), ("{{.Image}}", nil), ("{{upper .Names}}", "SHOWN"),
            ("{{.Label \"tier\"}}", "front"), ("{{if eq .State \"created\"}}new{{else}}old{{end}}", "new"),
            ("{{json .Names}}", "\"shown\""), ("{{printf \"%s-%s\" .Names .State}}", "shown-created"),
            ("{{len .Names}}", "5"), ("table {{.Names}}\t{{.State}}", "NAMES   STATE\nshown   created"),
        ] as [(String, String?)])
    func `templates are Go's`(template: String, expected: String?) throws {
        try withApus(.own) { apus in
            try apus.create("shown", ["--label", "tier=front"], command: ["true"])
            let result = try apus("ps", "-a", "--format", template)
            #expect(result.status == 0, "\(result)")
            if let expected { #expect(result.text == expected) }
        }
    }

    @Test(arguments: ["{{", "{{.NoSuchField}}", "{{end}}", "{{nofunction .Names}}"])
    func `a template with a mistake is said and exits with an error`(template: String) throws {
        try withApus(.own) { apus in
            try apus.create("shown", command: ["true"])
            for words in [["ps", "-a"], ["inspect", "shown"]] {
                let result = try apus(words + ["--format", template])
                #expect(result.status != 0, "\(words): \(result)")
                #expect(result.errors.split(separator: "\n").count == 1, "\(words): \(result)")
            }
        }
    }

    @Test func `ps --format json has an object a line`() throws {
        try withApus(.own) { apus in
            try apus.create("one", command: ["echo", "\"quoted\" \u{1b}[31m é"])
            try apus.create("two", command: ["true"])
            let rows = try apus("ps", "-a", "--format", "json").lines.map { try JSON($0) }
            #expect(rows.map { $0["Names"] } == [.string("two"), .string("one")])
            for name in ["ID", "State", "Image", "Command", "Status", "CreatedAt", "Labels"] {
                #expect(rows.allSatisfy { if case .string = $0[name] { true } else { false } }, "\(name)")
            }
        }
    }

    // MARK: Sizes

    @Test(arguments: Caller.available)
    func `ps -s shows what a container has written and what it sees`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            try #require(truncate(try apus.file("root/big", ""), 2_000_000) == 0)
            let write = [
                "sh", "-c", "mkdir -m 0 /new; head -c 4100 /dev/zero >/new/one; ln /new/one /new/two; rm /big",
            ]
            _ = try apus(["run", "--name", "layer", "--rootfs", "\(root):O", "--"] + write)
            _ = try apus(["run", "--name", "plain", "--rootfs", root, "true"])
            _ = try apus(["create", "--name", "fresh", "--rootfs", "\(root):O", "true"])
            let rows = try apus("ps", "-a", "-s").lines
            #expect(rows[0].hasSuffix("NAMES   SIZE"))
            let sizes = try apus("ps", "-a", "--format", "{{.Names}} {{.Size}}").lines.sorted()
            #expect(sizes.count == 3)
            let virtual = try #require(sizes[0].firstRange(of: "fresh 0B (virtual ")).upperBound
            let whole = sizes[0][virtual...]
            #expect(whole.hasSuffix("MB)"))
            #expect(sizes[1].hasPrefix("layer 4.1kB (virtual ") && sizes[1].hasSuffix("MB)"))
            #expect(sizes[2] == "plain 0B (virtual \(whole)")
            #expect(rows.contains { $0.contains(" layer ") && $0.contains("   4.1kB (virtual ") })
            let inspected = try apus("inspect", "--size", "--format", "{{.SizeRw}} {{.SizeRootFs}}", "layer")
            let numbers = inspected.text.split(separator: " ").compactMap { Int($0) }
            #expect(numbers.count == 2 && numbers[0] == 4100 && numbers[1] > 2_004_100, "\(inspected)")
            #expect(try JSON(apus("inspect", "layer").output).elements[0]["SizeRw"] == nil)
        }
    }

    @Test(arguments: Caller.available)
    func `a copy of a root is the container's own, and a host's layer is counted`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = try apus.makeRoot()
            try apus.succeed("run", "--name", "copy", "--storage", "copy", "--rootfs", "\(root):O", "true")
            let copy = try apus.inspectSize("copy")
            #expect(copy.layer == copy.root && copy.layer > 100_000)
            // Only root's `@host` has a layer for `/` itself.
            let write = caller == .root ? "head -c 5000 /dev/zero >/new-file" : "true"
            try apus.succeed("run", "--name", "host", "@host", "--", "sh", "-c", write)
            let host = try apus.inspectSize("host")
            #expect(host.layer == (caller == .root ? 5000 : 0) && host.root > 1_000_000)
        }
    }

    @Test func `a container whose size cannot be told is said and the others are shown`() throws {
        try withApus(.own) { apus in
            let root = try apus.makeRoot()
            try apus.create("fine", command: ["true"])
            try apus.succeed("create", "--name", "lost", "--rootfs", "\(root):O", "true")
            try #require(rename(root, "\(root).away") == 0)
            let result = try apus("ps", "-as", "--format", "{{.Names}} {{.Size}}")
            #expect(result.status == 0 && result.isOneLineNaming(root))
            #expect(result.lines.count == 2 && result.lines[0] == "lost 0B", "\(result)")
        }
    }

    // MARK: inspect

    @Test(arguments: Caller.available)
    func `inspect has Docker's shape`(caller: Caller) throws {
        try withApus(caller) { apus in
            let flags = ["--hostname", "inner", "-e", "A=1", "--label", "tier=front", "-w", "/tmp"]
            let id = try apus.detached("known", flags)
            let text = try apus.succeed("inspect", "known")
            let all = try JSON(text).elements
            #expect(all.count == 1)
            let one = try #require(all.first)
            #expect(one["Id"] == .string(id) && one["Name"] == .string("/known"))
            #expect(one["Path"] == .string("sleep") && one["Args"] == .list([.string("1000")]))
            let state = try #require(one["State"])
            #expect(state["Status"] == .string("running") && state["Running"] == .bool(true))
            for name in ["Paused", "OOMKilled", "Dead", "Restarting"] {
                #expect(state[name] == .bool(false), "\(name)")
            }
            let config = try #require(one["Config"])
            #expect(config["Hostname"] == .string("inner") && config["WorkingDir"] == .string("/tmp"))
            #expect(config["Env"]?.elements.contains(.string("A=1")) == true)
            #expect(config["Labels"] == .object(["tier": .string("front")]))
            #expect(access("/proc/\(try apus.pid("known"))", F_OK) == 0)
            try apus.succeed("kill", "known")
            #expect(try apus.inspect("known", "{{.State.Running}} {{.State.Pid}} {{.State.ExitCode}}") == "false 0 137")
        }
    }

    @Test func `inspect of several prints those that exist`() throws {
        try withApus(.own) { apus in
            let ids = try ["one", "two"].map { try apus.create($0, command: ["true"]) }
            let result = try apus("inspect", "one", "nobody", "two")
            #expect(result.status == 1)
            #expect(result.isOneLineNaming("nobody"))
            #expect(try JSON(result.output).elements.map { $0["Id"] } == ids.map { .string($0) })
        }
    }
}

extension Apus {
    /// What `inspect --size` says of a container.
    fileprivate func inspectSize(_ name: String) throws -> (layer: Int, root: Int) {
        let text = try succeed("inspect", "--size", "--format", "{{.SizeRw}} {{.SizeRootFs}}", name)
        let numbers = try text.split(separator: " ").map { try #require(Int($0)) }
        return (numbers[0], numbers[1])
    }
}
