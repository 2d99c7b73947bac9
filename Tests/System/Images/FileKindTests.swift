import FoundationEssentials
import Glibc
import Testing

/// Files of every kind keep all that they have on their way through other tools, both ways: owners, modes with set-user-ID,
/// times to the nanosecond, links, holes, attributes and capabilities, devices, and names that are no UTF-8.
@Suite(.serialized, Requirement.root, Requirement.registry, Requirement.programs("python3", "tar"))
struct FileKindTests {
    /// Makes such files in the directory `app` of a root.
    private static let make = """
        import os, struct, sys
        top = os.fsencode(sys.argv[1]) + b'/app/'
        os.makedirs(top + b'opaque/old')
        def put(name, data=b'x', mode=0o644, owner=(0, 0), time=1600000001123456789):
            with open(top + name, 'wb') as file: file.write(data)
            os.chown(top + name, *owner)
            os.chmod(top + name, mode)
            os.utime(top + name, ns=(time, time))
        put(b'setuid', mode=0o6755, owner=(12, 3000000000))
        os.link(top + b'setuid', top + b'link')
        os.symlink('/etc/../passwd', top + b'symlink')
        os.symlink(b'\\xfe\\xff', top + b'raw-link')
        put(b'raw-\\xff\\xfe', time=999999999)
        put(b'n' * 200, owner=(1, 2))
        put(b'new\\nline "quoted"')
        put(b'gone')
        put(b'opaque/old/file')
        put(b'empty', b'')
        put(b'note')
        if sys.argv[2] == 'all': os.setxattr(top + b'note', 'user.note', b'a\\0b\\n\\xff')
        put(b'capable', mode=0o755)
        os.setxattr(top + b'capable', 'security.capability', struct.pack('<5I', 0x02000001, 1 << 10, 0, 0, 0))
        with open(top + b'sparse', 'wb') as file:
            file.truncate(8 << 20)
            file.seek(4 << 20)
            file.write(b'island')
        os.utime(top + b'sparse', ns=(5, 5))
        os.mkfifo(top + b'fifo', 0o600)
        os.mknod(top + b'null', 0o20666, os.makedev(1, 3))
        os.mknod(top + b'disk', 0o60600, os.makedev(8, 1))
        os.mkdir(top + b'sticky')
        os.chmod(top + b'sticky', 0o3777)
        for name in os.listdir(top):
            if os.path.isdir(top + name): os.utime(top + name, ns=(1700000000987654321, 1700000000987654321))
        """

    /// Says all of them, a line each, and of a large file whether it has holes.
    private static let list = """
        import hashlib, os, stat, sys
        top = os.fsencode(sys.argv[1]) + b'/app'
        for folder, folders, files in sorted(os.walk(top)):
            for path in sorted(os.path.join(folder, name) for name in folders + files):
                s = os.lstat(path)
                line = [repr(path[len(top):]), oct(s.st_mode), s.st_uid, s.st_gid]
                # What a container has changed has the time at which it did so.
                if b'opaque' not in path: line.append(s.st_mtime_ns)
                if stat.S_ISREG(s.st_mode):
                    line += [s.st_nlink, s.st_size, hashlib.sha256(open(path, 'rb').read()).hexdigest()[:12]]
                if stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode): line.append(s.st_rdev)
                if stat.S_ISLNK(s.st_mode): line.append(repr(os.readlink(path)))
                for name in sorted(os.listxattr(path, follow_symlinks=False)):
                    if name in ('security.capability', 'user.note'):
                        line.append(name + '=' + os.getxattr(path, name, follow_symlinks=False).hex())
                print(*line)
        """

    private func shell(_ apus: Apus, _ script: String) throws -> String {
        let outcome = try apus.startShell("set -e; cd '\(apus.directory)'; \(script)").wait()
        try #require(outcome.status == 0, "\(script): \(outcome)")
        return outcome.text
    }

    /// An image with such files in one layer, of which a second one hides some.
    ///
    /// - Parameter attributes: `all`, or only `capabilities`.
    /// - Returns: What the image has.
    private func makeImage(_ apus: Apus, _ name: String, attributes: String = "all") throws -> String {
        try apus.file("make.py", Self.make)
        try apus.file("list.py", Self.list)
        let script = """
            cp -a '\(apus.root)' tree; python3 make.py tree \(attributes)
            tar -C tree --format=pax --xattrs --xattrs-include='*' --numeric-owner -cf tree.tar .
            rm tree/app/gone; rm -r tree/app/opaque; mkdir tree/app/opaque; echo new >tree/app/opaque/new
            python3 list.py tree
            """
        let expected = try shell(apus, script)
        try apus.succeed("import", "\(apus.directory)/tree.tar", "base")
        let change = "rm /app/gone; rm -r /app/opaque; mkdir /app/opaque; echo new >/app/opaque/new"
        // The removal changes the time of /app alone, which is not listed.
        let made = try apus("run", "--name", "step", "base", "sh", "-c", change)
        try #require(made.status == 0, "\(made)")
        try apus.succeed("commit", "step", name)
        try apus.succeed("rm", "step")
        return expected
    }

    /// What Apus has of an image, as it writes it out.
    private func listing(_ apus: Apus, _ name: String) throws -> String {
        try apus.succeed("create", "--name", "shown", name, "true")
        defer { _ = try? apus("rm", "shown") }  // `try?`: the harness tells of what is left
        let script = """
            rm -rf out; mkdir out
            "$APUS" export shown | tar -C out --xattrs --xattrs-include='*' --same-owner --numeric-owner -xpf -
            python3 list.py out
            """
        return try shell(apus, script)
    }

    @Test(Requirement.programs("umoci", "skopeo"))
    func `umoci unpacks what is pushed as it was, and what skopeo copies comes back`() throws {
        let registry = try LocalRegistry()
        try withApus(.root) { apus in
            let name = "\(registry.host)/kinds:1"
            let expected = try makeImage(apus, name)
            #expect(try listing(apus, name) == expected)
            try apus.succeed("push", "-q", name)
            let script = """
                skopeo copy -q --insecure-policy --src-tls-verify=false docker://\(name) oci:layout:kinds
                umoci unpack --image layout:kinds bundle; python3 list.py bundle/rootfs
                """
            #expect(try shell(apus, script) == expected)
            let back = "\(registry.host)/kinds:2"
            _ = try shell(
                apus,
                "skopeo copy -q --insecure-policy --dest-tls-verify=false --format v2s2 oci:layout:kinds docker://\(back)"
            )
            try apus.succeed("image", "prune", "--all", "--force")
            expectOutput(try apus("pull", "-q", back), back)
            #expect(try listing(apus, back) == expected)
            // Holes are written as zeros and unpacked as holes.
            let blocks = try shell(
                apus, "find data/images/layers -path '*/app/sparse' -exec stat -c '%b %s' {} + | head -n 1")
            let numbers = blocks.split(separator: " ").compactMap { Int($0) }
            #expect(numbers.count == 2 && numbers[0] * 512 < numbers[1] / 8, "\(blocks)")
        }
    }

    @Test(Requirement.programs("podman"))
    func `podman pulls what is pushed as it was, and what it pushes comes back`() throws {
        let registry = try LocalRegistry()
        try withApus(.root) { apus in
            let name = "\(registry.host)/kinds:1"
            let expected = try makeImage(apus, name)
            try apus.succeed("push", "-q", name)
            let podman = "podman --root '\(apus.directory)/p' --runroot '\(apus.directory)/pr' --storage-driver vfs"
            let back = "\(registry.host)/kinds:2"
            let script = """
                \(podman) pull -q --tls-verify=false \(name) >/dev/null
                root=$(\(podman) image mount \(name)); python3 list.py "$root"
                \(podman) image umount \(name) >/dev/null; \(podman) tag \(name) \(back)
                \(podman) push -q --tls-verify=false \(back) >/dev/null; rm -rf p pr
                """
            #expect(try shell(apus, script) == expected)
            try apus.succeed("image", "prune", "--all", "--force")
            expectOutput(try apus("pull", "-q", back), back)
            #expect(try listing(apus, back) == expected)
        }
    }

    @Test(Requirement.programs("dockerd", "docker", "unshare"))
    func `docker loads what is saved as it was, and what it saves comes back`() throws {
        try withApus(.root) { apus in
            // Docker's simplest storage keeps no other attributes, and then misses them when it writes the layer.
            let expected = try makeImage(apus, "kinds:1", attributes: "capabilities")
            try apus.succeed("save", "-o", "\(apus.directory)/ours", "kinds:1")
            try apus.succeed("image", "prune", "--all", "--force")
            // A daemon of its own, which ends with its namespaces.
            let script = """
                set -e; mount -t tmpfs tmpfs /run; mkdir -p /run/lock config; echo {} >config/config.json
                export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG="$PWD/config"
                dockerd --host $DOCKER_HOST --data-root "$PWD/docker" --exec-root /run/docker --pidfile /run/docker.pid \\
                    --storage-driver vfs --bridge none --iptables=false >log 2>&1 &
                for i in $(seq 300); do docker info >/dev/null 2>&1 && break; sleep 0.1; done
                docker load -q -i ours >/dev/null; id=$(docker create kinds:1 true)
                python3 list.py "docker/vfs/dir/$(cat docker/image/vfs/layerdb/mounts/$id/mount-id)"
                docker save -o theirs kinds:1
                """
            try apus.file("docker.sh", script)
            let seen = try shell(
                apus, "unshare --mount --net --pid --ipc --fork --kill-child --mount-proc sh docker.sh")
            #expect(seen == expected)
            expectOutput(try apus("load", "-i", "\(apus.directory)/theirs"), "Loaded image: kinds:1")
            #expect(try listing(apus, "kinds:1") == expected)
        }
    }
}
