import Cgroups
import Containers
import Flags
import Linux
import OCI
import Testing

@Suite struct `how flags are written` {
    @Test(arguments: [
        "--memory 4m", "--memory=4m", "-m 4m", "-m4m", "-m=4m", "-im 4m", "-im4m", "-itm=4m",
    ])
    func `a value may stand in the same word or the next`(flags: String) throws {
        #expect(try config(flags).resources.memory == 4 << 20)
    }

    @Test func `letters without values may share a word`() throws {
        let request = try run("-itd --rootfs /r sh")
        #expect(request.config.interactive && request.config.tty && request.detach)
    }

    @Test(arguments: [
        ("--rm", true), ("--rm=true", true), ("--rm=1", true), ("--rm=false", false), ("--rm --rm=F", false),
    ])
    func `a switch may be given a value`(flags: String, on: Bool) throws {
        #expect(try config(flags).removeAtEnd == on)
    }

    @Test func `a switch takes no value from the next word`() throws {
        #expect(try run("--rm false @host true").image?.reference == "false")
    }

    @Test func `a letter's switch may be off`() throws {
        let config = try config("-it=false")
        #expect(config.interactive && !config.tty)
    }

    @Test func `a value may start with a dash`() throws {
        #expect(try config("--memory 1m --memory-swap -1").resources.memorySwap == -1)
        #expect(try config("-e -x=1").environment == ["-x=1"])
    }

    @Test func `flags end at the first word that is none`() throws {
        let config = try run("--rootfs /r ls -l --rm").config
        #expect(config.command == ["ls", "-l", "--rm"] && !config.removeAtEnd)
    }

    @Test func `two dashes end the flags`() throws {
        #expect(try run("--rootfs /r -- -x --rm").config.command == ["-x", "--rm"])
        #expect(try run("--rootfs /r -- -- x").config.command == ["--", "x"])
    }

    @Test func `a single dash is a word`() throws {
        #expect(try run("--rootfs /r - x").config.command == ["-", "x"])
    }

    @Test func `of a value given twice the last one wins`() throws {
        #expect(try config("--memory 1m --memory 2m").resources.memory == 2 << 20)
    }

    @Test func `a value may be empty`() throws {
        #expect(
            try RunCommandLine.parse(["--user", "", "--entrypoint=", "@host", "true"], verb: .run).config.user == "")
    }

    @Test(arguments: [
        ("--memroy 4m", "run: '--memroy': unknown flag, did you mean '--memory'?; see 'apus run --help'"),
        (
            "--memory-sawp=4m",
            "run: '--memory-sawp': unknown flag, did you mean '--memory-swap'?; see 'apus run --help'"
        ),
        ("--interctive", "run: '--interctive': unknown flag, did you mean '--interactive'?; see 'apus run --help'"),
        ("--quite-another", "run: '--quite-another': unknown flag; see 'apus run --help'"),
        ("-x", "run: '-x': unknown flag; see 'apus run --help'"),
        ("-ix", "run: '-x' in '-ix': unknown flag; see 'apus run --help'"),
        ("--volumes-from x", "run: '--volumes-from': not available; see 'apus run --help'"),
        ("-a stdin", "run: '-a': not available; see 'apus run --help'"),
        ("-astdin", "run: '-a': not available; see 'apus run --help'"),
        ("--memory", "--memory: needs a value; see 'apus run --help'"),
        ("-m", "-m: needs a value; see 'apus run --help'"),
        ("--rm=maybe", "--rm: 'maybe': neither true nor false"),
    ])
    func `what is wrong with a flag is said in one line`(line: String, message: String) {
        #expect(complaint(line) == message)
    }

    @Test func `create has none of the flags of a terminal`() {
        for flag in ["--detach", "--sig-proxy", "--detach-keys=a"] {
            #expect(throws: Failure.self) { try RunCommandLine.parse([flag, "@host", "true"], verb: .create) }
        }
    }

    @Test(arguments: [RunCommandLine.Verb.run, .create])
    func `help asks for nothing else`(verb: RunCommandLine.Verb) throws {
        #expect(try RunCommandLine.parse(["--help"], verb: verb).help)
    }

    @Test func `help shows every flag on a line of its own`() {
        let lines = RunCommandLine.help(.run).split(separator: "\n")
        for flag in RunCommandLine.flags(.run).flatMap(\.flags) {
            #expect(lines.count { $0.contains("--\(flag.name) ") && $0.contains(flag.help) } == 1, "\(flag.name)")
        }
    }

    @Test func `no two flags have one name or letter`() {
        let flags = RunCommandLine.flags(.run).flatMap(\.flags)
        #expect(Set(flags.map(\.name)).count == flags.count)
        #expect(Set(flags.compactMap(\.letter)).count == flags.compactMap(\.letter).count)
    }
}

@Suite struct `the root and the command` {
    @Test(arguments: [
        ("--rootfs /r sh", RootSource.directory(path: "/r")), ("--rootfs=/r:O sh", .overlay(path: "/r")),
        ("--rootfs r sh", .directory(path: "/home/me/r")), ("--rootfs ./r:O sh", .overlay(path: "/home/me/r")),
        ("--rootfs . sh", .directory(path: "/home/me")), ("@host sh", .host),
    ])
    func `a root is a directory, a layer on one, or the machine's`(line: String, root: RootSource) throws {
        let config = try run(line).config
        #expect(config.root == root && config.command == ["sh"])
    }

    @Test func `any other first word is an image, which may know the command`() throws {
        let request = try run("--pull newer --platform linux/arm64 -q alpine:3 sh -c true")
        var image = ImageRequest(reference: "alpine:3")
        (image.pull, image.platform, image.quiet) = (.newer, "linux/arm64", true)
        #expect(request.image == image)
        #expect(request.config.root == .image(ImageRoot(reference: "alpine:3")))
        #expect(request.config.command == ["sh", "-c", "true"])
        #expect(try run("alpine").config.arguments == [])
        #expect(try run("@host sh").image == nil && run("--rootfs /r sh").image == nil)
    }

    @Test func `an empty entrypoint and no health check say something of an image`() throws {
        let overrides = try run("--entrypoint= --no-healthcheck alpine").image?.overrides
        #expect(overrides?.entrypoint == true && overrides?.noHealthCheck == true)
        #expect(try run("--health-cmd none alpine").image?.overrides.noHealthCheck == true)
        #expect(try run("--health-retries 2 alpine").config.healthCheck?.retries == 2)
    }

    @Test func `an entrypoint comes before the command`() throws {
        #expect(try run("--entrypoint /bin/sh @host -c true").config.arguments == ["/bin/sh", "-c", "true"])
        #expect(try run("--entrypoint sh @host").config.arguments == ["sh"])
    }

    @Test(arguments: [
        ("", "run: no image given; name one, or use --rootfs DIR or @host"),
        ("--pull often alpine", "--pull: 'often': unknown policy; give always, missing, never or newer"),
        ("--health-retries 2 --rootfs /r sh", "run: --health-...: needs --health-cmd; see 'apus run --help'"),
        ("@host", "run: no command given; see 'apus run --help'"),
        ("--rootfs /r", "run: no command given; see 'apus run --help'"),
        ("--rootfs :O sh", "--rootfs: ':O': no directory"),
        ("--rootfs /r @host sh", "run: '@host': a second root beside --rootfs '/r'"),
    ])
    func `a command line without both is refused`(line: String, message: String) {
        #expect(complaint(line) == message)
    }
}

@Suite struct `variables and labels` {
    @Test func `a variable of the command line wins over files, and later ones over earlier ones`() throws {
        let config = try config("-e A=1 --env-file vars -e C=1 -e C=2")
        #expect(config.environment == ["B=b b", "FROM_CALLER=yes", "A=1", "C=2"].map { $0 })
        #expect(config.unsetEnvironment == ["NOWHERE"])
    }

    @Test func `a name alone takes the caller's value or is unset`() throws {
        let config = try config("-e FROM_CALLER -e X=1 -e X -e Y=")
        #expect(config.environment == ["FROM_CALLER=yes", "Y="] && config.unsetEnvironment == ["X"])
    }

    @Test func `labels come from flags and files, those of flags win`() throws {
        #expect(
            try config("--label two=2 -l three --label-file labels").labels == ["one": "1", "two": "2", "three": ""])
    }

    @Test(arguments: [
        ("-e =x", "--env: '=x': no name before '='"),
        ("--env-file none", "--env-file: 'none': No such file or directory"),
        ("--env-file bad", "--env-file: 'bad' line 2: blanks in the name 'B C'"),
        ("--env-file nameless", "--env-file: 'nameless' line 1: no name before '='"),
        ("--env-file binary", "--env-file: 'binary' line 1: not UTF-8"),
        ("--label =x", "--label: '=x': no name before '='"),
        ("--env-file zero", "--env-file: 'A=x?y': a zero byte"),
        ("--label-file zero", "--label: 'A=x?y': a zero byte"),
    ])
    func `what is no variable is refused`(flags: String, message: String) {
        #expect(complaint("\(flags) @host true") == message)
    }
}

@Suite struct `values of run` {
    @Test func `limits are typed values`() throws {
        let limits = try config(
            "-m 256m --memory-swap 1g --memory-reservation 128m --cpus 1.5 -c 512 --cpuset-cpus 0-1,3 --cpuset-mems 0"
                + " --pids-limit 100 --blkio-weight 300 --device-read-bps /dev/sda:1mb --device-write-iops /dev/sda:10"
                + " --oom-kill-disable --memory-swappiness 0"
        ).resources
        var expected = ResourceLimits()
        expected.memory = 256 << 20
        expected.memorySwap = 1 << 30
        expected.memoryReservation = 128 << 20
        expected.memorySwappiness = 0
        expected.oomKillDisable = true
        expected.nanoCPUs = 1_500_000_000
        expected.cpuShares = 512
        expected.cpusetCPUs = "0-1,3"
        expected.cpusetMemoryNodes = "0"
        expected.pids = 100
        expected.blockWeight = 300
        expected.readBytesPerSecond = [DeviceRate(path: "/dev/sda", rate: 1 << 20)]
        expected.writeOperationsPerSecond = [DeviceRate(path: "/dev/sda", rate: 10)]
        #expect(limits == expected)
    }

    @Test func `a limit of 0 is none, also over one given before`() throws {
        let limits = try config(
            "-m 1g -m 0 --memory-reservation 0 --memory-swap 0 --cpus 2 --cpus 0 -c 0 --cpu-period 0 --cpu-quota 0"
                + " --blkio-weight 0"
        ).resources
        #expect(limits == ResourceLimits())
    }

    @Test func `life is typed values`() throws {
        let config = try config(
            "--stop-signal SIGUSR1 --stop-timeout 3 --timeout 1m30s --restart on-failure:5 --log-opt max-size=10m"
                + " --log-opt max-file=3 --limits best-effort --storage copy --cgroup-parent /ci --umask 077"
                + " --personality linux32 --oom-score-adj -500 --shm-size 1g --init --domainname d")
        #expect(config.stopSignal == 10 && config.stopTimeout == 3 && config.timeout == 90_000_000_000)
        #expect(config.restart == .onFailure(retries: 5))
        #expect(config.log.maximumSize == 10 << 20 && config.log.maximumFiles == 3)
        #expect(config.limits == .bestEffort && config.storage == .copy && config.cgroupParent == "/ci")
        #expect(config.umask == 0o077 && config.personality == "LINUX32" && config.oomScoreAdjustment == -500)
        #expect(config.sharedMemorySize == 1 << 30 && config.initProcess && config.domainname == "d")
    }

    @Test func `a health check is what its flags say`() throws {
        var check = HealthCheck(command: "true")
        check.interval = 5_000_000_000
        check.retries = 2
        #expect(try config("--health-interval 5s --health-cmd true --health-retries 2").healthCheck == check)
        #expect(try config("--no-healthcheck").healthCheck == nil)
    }

    @Test func `keys and signals of a terminal are those of run`() throws {
        let request = try run("--detach-keys ctrl-a,x --sig-proxy=false --cidfile id -d @host true")
        #expect(request.detachKeys == [1, 0x78] && !request.signalProxy && request.cidfile == "id" && request.detach)
        #expect(try run("@host true").detachKeys == [16, 17])
    }

    @Test(arguments: [
        ("--memory lots", "--memory: 'lots': not a size; give a size such as 512k, 256m or 1.5g"),
        ("--memory -5", "--memory: '-5': a negative size; give a size such as 512k, 256m or 1.5g"),
        ("--memory 0k", "--memory: '0k': must be more than 0"),
        ("--cpus -1", "--cpus: '-1': a negative number of CPUs; give a number such as 0.5 or 2"),
        ("--cpus 0.001", "--cpus: '0.001': less than the kernel accepts; give at least 0.01"),
        ("--cpuset-cpus 3-1", "--cpuset-cpus: '3-1': not a list of numbers; give one such as 0-3,7"),
        ("--blkio-weight 5", "--blkio-weight: '5': out of range; give a number from 10 to 1000"),
        ("--oom-score-adj 2000", "--oom-score-adj: '2000': out of range; give a number from -1000 to 1000"),
        ("--pids-limit many", "--pids-limit: 'many': not a whole number; give a number from -1"),
        ("--name a/b", "--name: 'a/b': not a name; \(Names.remedy)"),
        ("--name a", "--name: 'a': not a name; \(Names.remedy)"),
        ("--hostname -x", "--hostname: '-x': not a host name"),
        ("--workdir tmp", "--workdir: 'tmp': not an absolute path"),
        ("--umask 888", "--umask: '888': not a mask; give an octal number from 0 to 0777"),
        ("--timeout soon", "--timeout: 'soon': not a duration; give a duration such as 10s or 1m30s"),
        ("--cap-add FLY", "--cap-add: 'FLY': unknown capability; see capabilities(7)"),
        ("--network a/b", "--network: 'a/b': not a network; use none, host, bridge, pasta, container:ID or a name"),
        (
            "--restart never",
            "--restart: 'never': unknown restart policy; give no, always, unless-stopped or on-failure[:RETRIES]"
        ),
        ("--log-driver syslog", "--log-driver: 'syslog': unknown log driver; give json-file, none or passthrough"),
        ("--log-opt color=1", "--log-opt: 'color=1': unknown log option; give max-size=SIZE or max-file=NUMBER"),
        ("--ulimit nofile=5:1", "--ulimit: 'nofile=5:1': the soft limit is above the hard limit"),
        ("--dns here", "--dns: 'here': not an IP address"),
        ("--add-host a:b", "--add-host: 'a:b': 'b' is not an IP address"),
        ("--storage tape", "--storage: 'tape': unknown storage; give overlay or copy"),
        ("--detach-keys ctrl-1", "--detach-keys: 'ctrl-1': unknown key 'ctrl-1'; give keys such as ctrl-p,ctrl-q"),
    ])
    func `a bad value is named with its flag`(flags: String, message: String) {
        #expect(complaint("\(flags) @host true") == message)
    }

    @Test(arguments: [
        ("--rm --restart always", "run: --rm: does not go with --restart; see 'apus run --help'"),
        (
            "--memory 2g --memory-swap 1g",
            "run: --memory-swap: counts memory and swap together, and so cannot be below --memory; see 'apus run --help'"
        ),
        (
            "--memory-swap 1g",
            "run: --memory-swap: counts memory and swap together, and so needs --memory; see 'apus run --help'"
        ),
        ("--memory 1m --memory-reservation 2m", "run: --memory-reservation: above --memory; see 'apus run --help'"),
        (
            "--cpus 1 --cpu-quota 5000",
            "run: --cpus: says the same as --cpu-quota and --cpu-period; give one; see 'apus run --help'"
        ),
        (
            "--hostname a --uts host",
            "run: --hostname: needs a UTS namespace of the container's own, not --uts; see 'apus run --help'"
        ),
        ("--init --pid host", "run: --init: needs a PID namespace of the container's own; see 'apus run --help'"),
        (
            "--log-driver none --log-opt max-file=2",
            "run: --log-opt: only goes with --log-driver json-file; see 'apus run --help'"
        ),
        ("--log-driver passthrough -t", "run: --log-driver passthrough: does not go with --tty; see 'apus run --help'"),
        (
            "--no-healthcheck --health-cmd x",
            "run: --no-healthcheck: goes with no other health flag; see 'apus run --help'"
        ),
        ("--health-retries 3", "run: --health-...: needs --health-cmd; see 'apus run --help'"),
        (
            "--network container:a --dns 1.1.1.1",
            "run: --dns: does not go with the network of another container; see 'apus run --help'"
        ),
        ("-v /a:/x --tmpfs /x", "run: '/x': two mounts onto the same place"),
    ])
    func `flags that contradict each other are refused`(flags: String, message: String) {
        #expect(complaint("\(flags) @host true") == message)
    }

    @Test(arguments: [
        "--rm --restart no", "-d --rm", "--memory 1m --memory-swap 1m", "--memory 1m --memory-swap -1", "-d -t",
    ])
    func `flags that go together are taken`(flags: String) {
        #expect(complaint("\(flags) @host true") == nil)
    }
}

@Suite struct `the command line of exec` {
    @Test func `flags stand before the container`() throws {
        let request = try ExecCommandLine.parse(
            words("-it -e A=1 -e FROM_CALLER -e NOWHERE -w /x -u me:us --privileged web sh -c -d"), surroundings: caller
        )
        var options = ExecOptions()
        options.interactive = true
        options.tty = true
        options.environment = ["A=1", "FROM_CALLER=yes"]
        options.workingDirectory = "/x"
        options.user = "me:us"
        options.privileged = true
        options.command = ["sh", "-c", "-d"]
        #expect(request.container == "web" && request.options == options)
    }

    @Test(arguments: [
        ("", "exec: no container given; see 'apus exec --help'"),
        ("web", "exec: 'web': no command given; see 'apus exec --help'"),
        ("--rm web sh", "exec: '--rm': unknown flag; see 'apus exec --help'"),
        ("-w x web sh", "-w: 'x': not an absolute path"),
    ])
    func `what is missing or unknown is said in one line`(line: String, message: String) {
        let failure = #expect(throws: Failure.self) { try ExecCommandLine.parse(words(line), surroundings: caller) }
        #expect(failure?.description == message)
    }
}
