import FoundationEssentials
import Glibc
import Testing

/// After a restart of the machine: every command, however many at once, knows that no container has survived.
@Suite struct BootTests {
    /// Makes the records of containers that were made but not started say that they run, since another boot.
    private static let pretend = """
        for made in "$data"/containers/*; do
            test -e "$made/made.json" || cp -p "$made/state.json" "$made/made.json"
            sed 's/"status":"created"/"status":{"running":{"pid":1,"startTime":7,"supervisor":1,"seccomp":"standard",\
        "startedAt":1700000000000000000,"paused":false,"bootID":"11111111-2222-3333-4444-555555555555"}}/' \
                "$made/made.json" >"$made/state.json"
        done
        """
    /// Many commands at once, and which states they saw.
    private static let look = """
        for i in 1 2 3 4 5 6 7 8 9 10 11 12; do "$APUS" ps -a --format '{{.State}}' >"$out.$i" 2>&1 & done; wait
        cat "$out".* | sort | uniq -c | sed 's/^ *//'
        """
    private static let make = "for i in $(seq 40); do \"$APUS\" create --rootfs \"$root\" true >/dev/null; done"

    @Test(Requirement.root) func `no command sees a container of the last boot run`() throws {
        try withApus(.root) { apus in
            // The default directories, of which only those in /run are gone with a boot; those of this machine are hidden.
            apus.environment["APUS_ROOT"] = nil
            apus.environment["root"] = Machine.busybox
            apus.environment["out"] = "/run/seen"
            let script = """
                set -e
                mount -t tmpfs none /var/lib; mount -t tmpfs none /run
                data=/var/lib/apus
                \(Self.make)
                for round in 1 2 3; do
                    rm -rf /run/*
                    \(Self.pretend)
                    \(Self.look)
                    for record in $data/containers/*/state.json; do
                        grep -q 'the machine was restarted' "$record" || echo "$record has not been put right"
                    done
                done
                """
            apus.environment["APUS"] = Machine.apus
            let run = try apus.startProgram(["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script]).wait()
            #expect(run == .printed("480 exited\n480 exited\n480 exited\n"))
        }
    }

    @Test(arguments: Caller.available)
    func `marks of the last boot in the data directory itself are seen to first`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["root"] = Machine.busybox
            apus.environment["data"] = apus.data
            apus.environment["out"] = "\(apus.directory)/seen"
            let marks = "for id in \"$data\"/containers/*; do : >\"$data/alive/${id##*/}\"; done"
            let script = [Self.make, Self.pretend, marks, Self.look].joined(separator: "\n")
            let seen = try apus.startShell(script).wait()
            #expect(seen == .printed("480 exited\n"))
        }
    }
}
