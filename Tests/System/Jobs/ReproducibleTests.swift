import Glibc
import Testing

/// `--reproducible`: the same surroundings wherever and whoever runs it.
@Suite struct ReproducibleTests {
    /// As the manual has it, in this order.
    private static let environment = [
        "HOME=/root", "HOSTNAME=apus", "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TZ=UTC",
    ]

    @Test(arguments: Caller.all)
    func `names, environment and mask are the same for every caller`(caller: Caller) throws {
        try withApus(caller) { apus in
            apus.environment["LANG"] = "de_DE.UTF-8"
            apus.environment["TZ"] = "Asia/Tokyo"
            apus.environment["LEAKED"] = "yes"
            let outcome = try apus.startShell(
                "umask 077; exec $APUS run --rm --reproducible --rootfs \(Machine.busybox) sh -c 'env; hostname; umask'"
            ).wait()
            // busybox's shell adds SHLVL and PWD where they come in its own table.
            let lines = outcome.lines.filter { !$0.hasPrefix("SHLVL=") && !$0.hasPrefix("PWD=") }
            #expect(lines.sorted() == (Self.environment + ["apus", "0022"]).sorted(), "\(outcome)")
            let raw = try apus.run(["--reproducible"], "cat", "/proc/self/environ")
            #expect(raw.output.split(separator: "\0").map(String.init) == Self.environment)
        }
    }

    @Test func `what the command line says stays, in its place`() throws {
        try withApus(.own) { apus in
            let outcome = try apus.run(
                ["--reproducible", "--hostname", "build", "-e", "TZ=Europe/Berlin", "-e", "A=1", "-u", "7:7"],
                "cat", "/proc/self/environ")
            #expect(
                outcome.output.split(separator: "\0").map(String.init) == [
                    "A=1", "HOME=/", "HOSTNAME=build", "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TZ=Europe/Berlin",
                ], "\(outcome)")
        }
    }

    @Test(arguments: [
        ["--network", "host"], ["--uts", "host"], ["--pid", "host"], ["--ipc", "host"], ["--cgroupns", "host"],
        ["--userns", "keep-id"], ["-t"], ["-e", "HOME"],
    ])
    func `what would let the host decide is refused by name`(flags: [String]) throws {
        try withApus(.own) { apus in
            let outcome = try apus.run(["--reproducible"] + flags, "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming("--reproducible"), "\(outcome)")
        }
    }

    @Test func `a variable file that takes the caller's values is refused`() throws {
        try withApus(.own) { apus in
            let file = try apus.file("variables", "GOOD=1\nHOME\n")
            let outcome = try apus.run(["--reproducible", "--env-file", file], "true")
            #expect(outcome.status == 125 && outcome.isOneLineNaming("'HOME'"), "\(outcome)")
        }
    }
}
