import FoundationEssentials
import Glibc
import Testing

extension Requirement {
    /// For tests with the programs that other tools bring; each name is one on PATH.
    static func programs(_ names: String...) -> ConditionTrait {
        let isThere = names.allSatisfy { name in
            ["/usr/bin", "/usr/sbin", "/bin"].contains { access("\($0)/\(name)", X_OK) == 0 }
        }
        return .enabled(if: isThere || Machine.isCI, "needs \(names.joined(separator: ", "))")
    }
}

/// Images of other tools are read, and what Apus writes they read.
@Suite(.serialized, Requirement.root) struct ImageToolTests {
    /// What tells one root from another: kinds, modes, owners, links, contents and what is gone.
    private static let look = """
        cd / && find app -exec stat -c '%n %F %a %u:%g %h %Y' {} + | sort; cat app/* 2>/dev/null; ls -A etc | sort
        """

    /// Makes the changes of a second layer in a root.
    private static let change = """
        mkdir -p app; echo two >app/two; ln -f app/two app/link; ln -sf two app/symlink; chmod 4755 app/two; \
        chown 12:34 app/two; rm -f etc/gone; touch -d '2001-02-03 04:05:06' app/two app
        """

    private func shell(_ apus: Apus, _ script: String) throws -> String {
        let outcome = try apus.startShell("set -e; cd '\(apus.directory)'; \(script)").wait()
        try #require(outcome.status == 0, "\(script): \(outcome)")
        return outcome.text
    }

    /// An image of two layers, the second of which removes a file of the first.
    private func makeImage(_ apus: Apus, _ name: String) throws -> String {
        try apus.importImage("base", ["ENV WHERE=here", "CMD [\"sh\"]"], prepare: "echo x >etc/gone; echo y >etc/kept")
        let made = try apus("run", "--name", "step", "base", "sh", "-c", "cd / && \(Self.change)")
        try #require(made.status == 0, "\(made)")
        try apus.succeed("commit", "step", name)
        try apus.succeed("rm", "step")
        return try apus.succeed("run", "--rm", name, "sh", "-c", Self.look)
    }

    @Test(Requirement.programs("podman"))
    func `podman loads what is saved, and what it saves is loaded`() throws {
        try withApus(.root) { apus in
            let look = try makeImage(apus, "localhost/app:1")
            let podman = "podman --root '\(apus.directory)/p' --runroot '\(apus.directory)/pr' --storage-driver vfs"
            for format in ["docker-archive", "oci-archive"] {
                try apus.succeed("save", "--format", format, "-o", "\(apus.directory)/ours", "localhost/app:1")
                let script = """
                    \(podman) load -q -i ours >/dev/null; rm -f theirs
                    \(podman) save -q --format \(format) -o theirs localhost/app:1; \(podman) rmi -f localhost/app:1
                    """
                _ = try shell(apus, script)
                try apus.succeed("rmi", "localhost/app:1")
                try apus.succeed("load", "-q", "-i", "\(apus.directory)/theirs")
                let again = try apus.succeed("run", "--rm", "localhost/app:1", "sh", "-c", Self.look)
                #expect(again == look, "\(format)")
            }
            _ = try shell(apus, "\(podman) unshare true 2>/dev/null || true; rm -rf p pr")
        }
    }

    @Test(Requirement.programs("buildah"))
    func `what buildah makes of an image is read, and it reads what is made here`() throws {
        try withApus(.root) { apus in
            let look = try makeImage(apus, "localhost/app:1")
            try apus.succeed("save", "--format", "oci-archive", "-o", "\(apus.directory)/ours", "localhost/app:1")
            let buildah = "buildah --root '\(apus.directory)/b' --runroot '\(apus.directory)/br' --storage-driver vfs"
            let script = """
                container=$(\(buildah) from oci-archive:ours); root=$(\(buildah) mount $container)
                echo three >$root/etc/three; \(buildah) umount $container >/dev/null
                \(buildah) config --env THERE=too $container
                \(buildah) commit -q $container oci-archive:theirs:localhost/theirs:1 >/dev/null
                \(buildah) commit -q --format docker $container docker-archive:docker:localhost/docker:1 >/dev/null
                """
            _ = try shell(apus, script)
            for (file, name) in [("theirs", "localhost/theirs:1"), ("docker", "localhost/docker:1")] {
                try apus.succeed("load", "-q", "-i", "\(apus.directory)/\(file)")
                let seen = try apus.succeed("run", "--rm", name, "sh", "-c", Self.look)
                #expect(seen == look + "\nthree", "\(file)")
                #expect(try apus.succeed("run", "--rm", name, "sh", "-c", "echo $WHERE $THERE") == "here too")
            }
        }
    }

    @Test(Requirement.programs("dockerd", "docker", "unshare"))
    func `docker loads what is saved, and what it saves is loaded`() throws {
        try withApus(.root) { apus in
            let look = try makeImage(apus, "app:1")
            try apus.succeed("save", "-o", "\(apus.directory)/ours", "app:1")
            try apus.succeed("rmi", "app:1")
            // A daemon of its own, which ends with its namespaces.
            let script = """
                mount -t tmpfs tmpfs /run; mkdir -p /run/lock config; echo {} >config/config.json
                export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG="$PWD/config"
                dockerd --host $DOCKER_HOST --data-root "$PWD/docker" --exec-root /run/docker --pidfile /run/docker.pid \\
                    --storage-driver vfs --bridge none --iptables=false >log 2>&1 &
                for i in $(seq 300); do docker info >/dev/null 2>&1 && break; sleep 0.1; done
                docker load -q -i ours; docker tag app:1 app:2; docker save -o theirs app:1 app:2
                """
            try apus.file("docker.sh", "set -e\n\(script)\n")
            let words = "unshare --mount --net --pid --ipc --fork --kill-child --mount-proc sh docker.sh"
            #expect(try shell(apus, words).contains("Loaded image: app:1"))
            let loaded = try apus.succeed("load", "-i", "\(apus.directory)/theirs")
            #expect(Set(loaded.split(separator: "\n")) == ["Loaded image: app:1", "Loaded image: app:2"])
            #expect(try apus.succeed("run", "--rm", "app:2", "sh", "-c", Self.look) == look)
        }
    }

    @Test(Requirement.registry, arguments: ["v2s2 gzip", "oci zstd", "oci gzip"])
    func `what skopeo pushes in another form is the same image`(form: String) throws {
        let registry = try LocalRegistry()
        try withApus(.root) { apus in
            let look = try makeImage(apus, "app:1")
            try apus.succeed("save", "--format", "oci-archive", "-o", "\(apus.directory)/ours", "app:1")
            let parts = form.split(separator: " ")
            let name = "\(registry.host)/app:1"
            let words = """
                skopeo copy -q --insecure-policy --dest-tls-verify=false --format \(parts[0]) \
                --dest-compress-format \(parts[1]) oci-archive:ours docker://\(name)
                """
            _ = try shell(apus, words)
            try apus.succeed("image", "prune", "--all", "--force")
            expectOutput(try apus("pull", "-q", name), name)
            let mediaType = "cat data/images/blobs/sha256/* | grep -a -o -E '(layer.v1|diff)[.]tar[.+a-z]*' | head -1"
            let forms = [
                "v2s2 gzip": "diff.tar.gzip", "oci zstd": "layer.v1.tar+zstd", "oci gzip": "layer.v1.tar+gzip",
            ]
            #expect(try shell(apus, mediaType) == forms[form])
            #expect(try apus.succeed("run", "--rm", name, "sh", "-c", Self.look) == look)
        }
    }
}
