import Glibc
import Testing

/// Root's containers where they are without APUS_ROOT: in /var/lib/apus, and in /run/apus what ends with the boot. Here
/// in file systems of the test's own, which hide the machine's.
@Suite struct DefaultDirectoriesTests {
    private func run(_ apus: Apus, _ script: String) throws -> Outcome {
        apus.environment["APUS_ROOT"] = nil
        apus.environment["APUS"] = Machine.apus
        apus.environment["root"] = Machine.busybox
        apus.environment["out"] = apus.directory
        let script = "set -e; mount -t tmpfs none /var/lib; mount -t tmpfs none /run\n\(script)"
        return try apus.startProgram(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script]).wait()
    }

    @Test(Requirement.root) func `a volume without a name is there, and goes with its container`() throws {
        try withApus(.root) { apus in
            let outcome = try run(
                apus,
                """
                for flag in '-v /data' '--mount type=volume,dst=/data'; do
                    "$APUS" run --rm $flag --rootfs "$root:O" sh -c 'echo kept >/data/x; cat /data/x'
                done
                "$APUS" create --name box -v /data --rootfs "$root:O" sh -c 'echo life >>/data/x; wc -l </data/x' >/dev/null
                "$APUS" start -a box; "$APUS" start -a box
                "$APUS" rm box
                find /var/lib/apus/containers /run/apus/containers -mindepth 1
                """)
            expectOutput(outcome, "kept\nkept\n1\n2\nbox")
        }
    }

    @Test(Requirement.root) func `every command finds a container and leaves nothing of it`() throws {
        try withApus(.root) { apus in
            let outcome = try run(
                apus,
                """
                "$APUS" run -d --name box --add-host far:1.2.3.4 --rootfs "$root:O" \
                    sh -c 'echo ready; trap "exit 3" TERM; while :; do sleep 0.05; done' >/dev/null
                until "$APUS" logs box | grep ready; do sleep 0.05; done
                "$APUS" ps --format '{{.Names}} {{.State}}'
                "$APUS" exec box grep far /etc/hosts
                "$APUS" cp /etc/hostname box:/new
                "$APUS" diff box
                "$APUS" stop box; "$APUS" inspect -f '{{.State.ExitCode}}' box
                "$APUS" start box; "$APUS" rm -f box
                find /var/lib/apus/containers /var/lib/apus/names /run/apus -mindepth 1 | sort
                """)
            expectOutput(
                outcome,
                "ready\nbox running\n1.2.3.4\tfar\nA /new\nbox\n3\nbox\nbox\n/run/apus/alive\n/run/apus/containers")
        }
    }
}
