import Glibc
import Linux
import OCI
import SystemPackage
import Testing

/// `mounts`, `root` and devices of a config.json.
@Suite struct MountFieldTests {
    /// The line of /proc/self/mountinfo for a place, without the numbers at its start.
    private func mounted(at place: String, _ outcome: Outcome) -> String {
        outcome.lines.last { $0.split(separator: " ").dropFirst(4).first.map(String.init) == place }.map {
            $0.split(separator: " ").dropFirst(3).joined(separator: " ")
        }
            ?? "\(outcome)"
    }

    @Test(Requirement.root)
    func `recursive options reach the mounts below, the others do not`() throws {
        try withRuntime(.root) { runtime in
            let source = try runtime.apus.makeDirectory("source")
            let below = try runtime.apus.makeDirectory("source/below")
            try check("mount") { mountTmpfs(below) }
            defer { umount2(below, CInt(MNT_DETACH)) }
            let mount = Spec.Mount(
                destination: "/mnt/all", type: "bind", source: source,
                options: ["rbind", "rro", "rnosuid", "rnodev", "rnoexec", "rnoatime", "rnosymfollow"])
            var outcome = try runtime.run(script: "cat /proc/self/mountinfo") { $0.mounts?.append(mount) }
            for place in ["/mnt/all", "/mnt/all/below"] {
                let line = mounted(at: place, outcome)
                #expect(line.contains(" ro,nosuid,nodev,noexec,noatime,nosymfollow "), "\(line)")
            }
            outcome = try runtime.run(script: "cat /proc/self/mountinfo; ls /mnt/all") {
                $0.mounts?.append(.init(destination: "/mnt/all", source: source, options: ["rbind", "ro"]))
            }
            #expect(mounted(at: "/mnt/all", outcome).contains(" ro,"), "\(outcome)")
            #expect(mounted(at: "/mnt/all/below", outcome).contains(" rw,"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `a relative source begins from the bundle`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            _ = try runtime.apus.makeDirectory("bundle/data")
            try runtime.apus.file("bundle/data/file", "here")
            expectOutput(
                try runtime.run(script: "cat /mnt/file") {
                    $0.mounts?.append(.init(destination: "/mnt", source: "data", options: ["bind"]))
                }, "here")
        }
    }

    @Test(arguments: Caller.available)
    func `remount changes what is mounted`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime.run(script: "cat /proc/self/mountinfo") {
                $0.mounts? += [
                    .init(destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["size=1m"]),
                    .init(destination: "/mnt", options: ["remount", "ro", "nosuid", "size=2m"]),
                ]
            }
            let line = mounted(at: "/mnt", outcome)
            #expect(line.contains(" ro,nosuid") && line.contains("size=2048k"), "\(line)")
        }
    }

    @Test(arguments: Caller.available)
    func `tmpcopyup fills a tmpfs, also one that is read-only`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime.run(script: "test -s /etc/passwd && touch /etc/new") {
                $0.mounts?.append(.init(destination: "/etc", type: "tmpfs", options: ["tmpcopyup", "ro"]))
            }
            #expect(outcome.errors.contains("Read-only file system"), "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `an option that a file system refuses is named, with its words`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            let outcome = try runtime.run(script: "true") {
                $0.mounts?.append(.init(destination: "/mnt", type: "tmpfs", options: ["nonsense=1"]))
            }
            runtime.expectFailure(outcome, naming: "/mnt", "nonsense=1", "Unknown parameter")
        }
    }

    @Test(Requirement.root)
    func `an overlay of more directories than one option holds`() throws {
        try withRuntime(.root) { runtime in
            let layers = try (0..<12).map { number in
                let layer = try runtime.apus.makeDirectory("layer-\(number)-\(String(repeating: "x", count: 40))")
                try runtime.apus.file("\(layer.split(separator: "/").last!)/\(number)", "")
                return layer
            }
            let outcome = try runtime.run(script: "ls /mnt | sort -n | tail -n 1; touch /mnt/new") {
                $0.mounts?.append(
                    .init(
                        destination: "/mnt", type: "overlay", source: "overlay",
                        options: ["ro", "lowerdir=\(layers.joined(separator: ":"))"]))
            }
            #expect(outcome.text == "11" && outcome.errors.contains("Read-only"), "\(outcome)")
        }
    }

    @Test(
        Requirement.root,
        arguments: [
            (["rbind", "rshared"], true), (["rbind", "rslave"], false), (["rbind"], false),
            (["rbind", "rprivate"], false),
        ])
    func `a mount made in the container reaches the host only through a shared mount`(
        options: [String], arrives: Bool
    ) throws {
        try withRuntime(.root) { runtime in
            let source = try runtime.apus.makeDirectory("source")
            try check("mount") { mountTmpfs(source) }
            defer { umount2(source, CInt(MNT_DETACH)) }
            try check("mount") { share(source) }
            mkdir("\(source)/in", 0o755)
            defer { umount2("\(source)/in", CInt(MNT_DETACH)) }
            let outcome = try runtime.run(script: "mount -t tmpfs x /mnt/in && touch /mnt/in/seen") {
                $0.mounts?.append(.init(destination: "/mnt", source: source, options: options))
                let rights = ["CAP_SYS_ADMIN"]
                $0.process?.capabilities = .init(bounding: rights, effective: rights, permitted: rights)
            }
            #expect(outcome.status == 0, "\(outcome)")
            #expect((access("\(source)/in/seen", F_OK) == 0) == arrives)
        }
    }

    @Test(
        Requirement.root,
        arguments: [("shared", "shared:"), ("slave", ""), ("private", ""), ("unbindable", "unbindable")])
    func `rootfsPropagation`(propagation: String, field: String) throws {
        try withRuntime(.root) { runtime in
            let outcome = try runtime.run(script: "cat /proc/self/mountinfo; mount --bind / /proc") {
                $0.linux?.rootfsPropagation = propagation
                let rights = ["CAP_SYS_ADMIN"]
                $0.process?.capabilities = .init(bounding: rights, effective: rights, permitted: rights)
            }
            let line = mounted(at: "/", outcome)
            #expect(line.contains("shared:") == (propagation == "shared") && line.contains(field), "\(line)")
            #expect((outcome.status != 0) == (propagation == "unbindable"), "\(outcome)")
        }
    }

    @Test(Requirement.root)
    func `devices of all types, anywhere, with mode and owner`() throws {
        try withRuntime(.root) { runtime in
            let root = try runtime.apus.makeRoot()
            let script = "ls -ln /dev/fuse /dev/fifo /dev/null /opt/nul | sed 's/ [A-Z][a-z][a-z] .* / /'; cat /opt/nul"
            let outcome = try runtime.run(script: script) {
                $0.root?.path = root
                $0.root?.readonly = false
                $0.linux?.devices = [
                    .init(path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o640, uid: 3, gid: 4),
                    .init(path: "/dev/fifo", type: "p", fileMode: 0o622),
                    .init(path: "/dev/null", type: "u", major: 1, minor: 3, fileMode: 0o600),
                    .init(path: "/opt/nul", type: "c", major: 1, minor: 3),
                ]
                $0.linux?.resources = nil
            }
            let found = outcome.lines.map { $0.split(separator: " ").joined(separator: " ") }
            #expect(
                found == [
                    "prw--w--w- 1 0 0 0 /dev/fifo", "crw-r----- 1 3 4 10, 229 /dev/fuse",
                    "crw------- 1 0 0 1, 3 /dev/null",
                    "crw-rw-rw- 1 0 0 1, 3 /opt/nul",
                ], "\(outcome)")
        }
    }

    @Test(Requirement.root)
    func `a device where something else is already is refused`() throws {
        try withRuntime(.root) { runtime in
            let outcome = try runtime.run(script: "true") {
                $0.linux?.devices = [.init(path: "/dev/null", type: "c", major: 1, minor: 5)]
            }
            runtime.expectFailure(outcome, naming: "/dev/null", "something else")
        }
    }

    @Test(Requirement.ordinaryCaller, arguments: Caller.unprivileged)
    func `in a user namespace a FIFO is made, and a device must be the host's`(caller: Caller) throws {
        try withRuntime(caller) { runtime in
            expectOutput(
                try runtime.run(script: "test -p /dev/fifo && test -c /dev/full && echo yes") {
                    $0.linux?.devices = [
                        .init(path: "/dev/fifo", type: "p"), .init(path: "/dev/full", type: "c", major: 1, minor: 7),
                    ]
                }, "yes")
            let outcome = try runtime.run(script: "true") {
                $0.linux?.devices = [.init(path: "/dev/full", type: "c", major: 1, minor: 9)]
            }
            runtime.expectFailure(outcome, naming: "/dev/full", "user namespace")
        }
    }

    @Test(Requirement.root)
    func `the default devices are there without a mount on /dev`() throws {
        try withRuntime(.root) { runtime in
            let root = try runtime.apus.makeRoot()
            let outcome = try runtime.run(
                script: "echo x >/dev/null && head -c 1 /dev/zero | wc -c; readlink /dev/ptmx"
            ) {
                $0.root?.path = root
                $0.root?.readonly = false
                $0.mounts?.removeAll { $0.destination.hasPrefix("/dev") }
                $0.linux?.resources = nil
            }
            expectOutput(outcome, "1\npts/ptmx")
        }
    }

    @Test(Requirement.root)
    func `mappings of a mount's own, with and without the option`() throws {
        try withRuntime(.root) { runtime in
            let source = try runtime.apus.makeDirectory("source")
            try runtime.apus.file("source/file", "")
            chown("\(source)/file", 3, 4)
            for options in [["bind"], ["bind", "idmap"], ["rbind", "ridmap"]] {
                expectOutput(
                    try runtime.run(script: "stat -c %u:%g /mnt/file") {
                        $0.mounts?.append(
                            .init(
                                destination: "/mnt", source: source, options: options,
                                uidMappings: [.init(containerID: 0, hostID: 50, size: 10)],
                                gidMappings: [.init(containerID: 0, hostID: 60, size: 10)]))
                    }, "53:64")
            }
        }
    }
}

private func mountTmpfs(_ path: String) -> CInt { mount("tmpfs", path, "tmpfs", 0, nil) }
private func share(_ path: String) -> CInt { mount(nil, path, nil, UInt(MS_SHARED), nil) }
