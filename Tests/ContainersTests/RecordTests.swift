import Cgroups
import Containers
import Networks
import OCI
import Testing

/// The records on disk: what is written reads back the same, and what Apus never wrote is refused with its place.
@Suite struct `container records` {
    // MARK: Reading back

    /// A description in which nothing is as it is without being asked for.
    private static var fullConfig: ContainerConfig {
        var config = ContainerConfig(root: .overlay(path: "/r:O"))
        fillProgram(&config)
        fillNamespaces(&config)
        fillRights(&config)
        fillResources(&config.resources)
        return config
    }

    private static func fillProgram(_ config: inout ContainerConfig) {
        config.storage = .copy
        config.consoleSize = .init(height: 24, width: 80)
        config.command = ["", "\"\\\u{1b}é😀\n"]
        config.workingDirectory = "/w"
        config.umask = 0o27
        config.personality = "LINUX32"
        config.name = "n"
        config.restart = .onFailure(retries: 3)
        config.stopSignal = 15
        config.stopTimeout = -1
        config.timeout = .max
        config.labels = ["b": "", "a": "x=y"]
        config.log.driver = .passthrough
        config.log.maximumSize = 1
        config.log.maximumFiles = 1000
        config.healthCheck = HealthCheck(command: "true")
        config.healthCheck?.interval = 1
        config.healthCheck?.timeout = 2
        config.healthCheck?.startPeriod = 0
        config.healthCheck?.startInterval = 4
        config.healthCheck?.retries = 5
    }

    private static func fillNamespaces(_ config: inout ContainerConfig) {
        config.hostname = "h"
        config.domainname = "d"
        config.pid = .container(id: "c")
        config.ipc = .shareable
        config.uts = .host
        config.network = .container(id: "")
        config.userNamespace = .maps([IDMap(container: 0, host: .max, count: 1)])
        config.extraHosts = [ExtraHost(name: "a", address: "host-gateway")]
        config.dns.servers = ["1.1.1.1"]
        config.mounts = [MountRequest(kind: .tmpfs, destination: "/t", propagation: "rshared", options: ["size=1"])]
        config.devices = [DeviceRequest(hostPath: "/dev/a", containerPath: "/dev/b", access: "r")]
        config.sharedMemorySize = 1
    }

    private static func fillRights(_ config: inout ContainerConfig) {
        config.privileged = true
        config.droppedCapabilities = ["ALL"]
        config.noNewPrivileges = false
        config.seccomp = .file(path: "/p")
        config.apparmorProfile = "a"
        config.limits = .bestEffort
        config.cgroupParent = "/x"
        config.rlimits = [Spec.Rlimit(type: "RLIMIT_CORE", hard: .max, soft: 0)]
        config.sysctls = ["kernel.msgmax": "1"]
        config.ports = [PublishedPort(address: IPAddress("::1"), hostPort: 1, containerPort: 2, kind: .udp)]
        config.exposedPorts = ["80/tcp"]
        config.publishAll = true
        config.egress = [EgressRule(rawValue: "a.test:1")].compactMap { $0 }
        config.networkRate = try? NetworkRate(parsing: "1mbit:2mbit")  // `try?`: it is one
        config.oomScoreAdjustment = -1000
        config.setJob { job in
            job.isReproducible = true
            job.secrets = [
                SecretRequest(id: "s", source: .file(path: "/f"), target: "/t", uid: 1, gid: .max, mode: 0o440),
                SecretRequest(id: "v", source: .variable(name: "V"), uid: 1, gid: 1),
            ]
            job.caches = [CacheRequest(name: "cc", destination: "/c", mode: .copyOnWrite)]
            job.cacheWait = 0
            job.artifacts = [ArtifactRequest(pattern: "/a/*", destination: "/d")]
            job.artifactLimit = .max
            job.workspace = WorkspaceRequest(source: "/w", destination: "/x")
        }
    }

    private static func fillResources(_ resources: inout ResourceLimits) {
        resources.memory = 1
        resources.memorySwap = -1
        resources.memoryReservation = 2
        resources.memorySwappiness = 100
        resources.oomKillDisable = true
        resources.nanoCPUs = .max
        resources.cpuPeriod = .max
        resources.cpuQuota = .min
        resources.cpuShares = 2
        resources.cpusetCPUs = "0"
        resources.cpusetMemoryNodes = "0-3"
        resources.pids = -1
        resources.blockWeight = 10
        resources.readBytesPerSecond = [DeviceRate(path: "/dev/a", rate: .max)]
    }

    @Test func `a description reads back as it was, with each of its properties`() throws {
        let config = Self.fullConfig
        #expect(try ContainerConfig(json: config.json()) == config)
        expectFields(of: config, in: config)
    }

    @Test func `a state reads back as it was, with each of its properties`() throws {
        var state = Self.state(.created)
        state.cgroup = CgroupRecord(
            kind: .v1, id: "i", directories: ["memory": "/m"], base: "/b", unit: "u", parent: "/p")
        state.network = NetworkState(mode: "bridge", ports: [.init(hostPort: 1, containerPort: 2, kind: .tcp)])
        state.network?.refused = 1
        state.limits = [LimitRecord(limit: "memory", asked: "1 KiB", mechanism: .none, enforced: false)]
        state.health = .init()
        state.health?.log = [
            .init(start: .init(nanoseconds: 1), end: .init(nanoseconds: .max), exitCode: -1, output: "")
        ]
        let read = try ContainerState(json: state.json())
        #expect("\(read)" == "\(state)")
        expectFields(of: state, in: state)
    }

    @Test(arguments: [RootSource.host, .directory(path: "@host"), .overlay(path: "")])
    func `a root reads back as it was`(root: RootSource) throws {
        let config = ContainerConfig(root: root)
        #expect(try ContainerConfig(json: config.json()).root == root)
    }

    @Test(arguments: [UserNamespaceMode.standard, .host, .keepID, .auto, .container(id: "host"), .maps([])])
    func `a user namespace reads back as it was`(mode: UserNamespaceMode) throws {
        var config = ContainerConfig(root: .host)
        config.userNamespace = mode
        #expect(try ContainerConfig(json: config.json()).userNamespace == mode)
    }

    @Test(arguments: [SeccompChoice.standard, .unconfined, .file(path: "standard")])
    func `a status reads back as it was`(seccomp: SeccompChoice) throws {
        let time = Timestamp(nanoseconds: 7)
        let running = ContainerState.RunningProcess(
            pid: 1, startTime: .max, bootID: "b", startedAt: time, supervisor: .max, seccomp: seccomp)
        let ending = ContainerState.Ending(exitCode: 255, startedAt: nil, finishedAt: time, error: "e")
        for status in [ContainerState.Status.created, .running(running), .exited(ending)] {
            #expect("\(try ContainerState(json: Self.state(status).json()).status)" == "\(status)")
        }
    }

    private static func state(_ status: ContainerState.Status) -> ContainerState {
        var state = ContainerState(
            id: "i", name: "n", created: .init(nanoseconds: 1), image: "@host", command: ["a"], labels: ["l": "v"],
            autoRemove: true)
        state.status = status
        return state
    }

    /// Whether each property of `part`, and of what is in it, has a field in the text of `record`.
    private func expectFields(of part: Any, in record: some JSONMappable) {
        if part is any RawRepresentable { return }  // a text or a number of its own making
        let text = String(decoding: record.json(), as: UTF8.self)
        for child in Mirror(reflecting: part).children where Mirror(reflecting: part).displayStyle == .struct {
            guard let label = child.label, !(child.value is Timestamp) else { continue }
            #expect(text.contains("\"\(label)\":"))
            for element in (child.value as? [Any]) ?? [child.value] { expectFields(of: element, in: record) }
        }
    }

    // MARK: What Apus never wrote

    private static let running = """
        {"schemaVersion":2,"id":"i","name":"n","created":1,"image":"","command":[],"labels":{},"autoRemove":false,
        "status":{"running":{"pid":1,"startTime":1,"bootID":"b","startedAt":1,"paused":false,"supervisor":1,
        "seccomp":"standard"}},"limits":[],"restarts":0,"stoppedByUser":false,"unknown":{"a":[1]}}
        """

    @Test(arguments: [
        (#""schemaVersion":2"#, #""schemaVersion":1"#, "schemaVersion: expected 2, got 1"),
        (#""schemaVersion":2,"#, "", "schemaVersion: missing"),
        (#""labels":{}"#, #""labels":{"a":1}"#, "labels.a: expected a string, got 1"),
        (#""pid":1"#, #""pid":0"#, "status.running.pid: expected a process ID, got 0"),
        (#""pid":1"#, #""pid":-1"#, "status.running.pid: expected a process ID, got -1"),
        (
            #""pid":1"#, #""pid":4294967297"#,
            "status.running.pid: expected an integer from -2147483648 to 2147483647, got 4294967297"
        ),
        (#""pid":1"#, #""pid":"1""#, "status.running.pid: expected an integer, got a string"),
        (#""pid":1,"#, "", "status.running.pid: missing"),
        (#""supervisor":1"#, #""supervisor":-7"#, "status.running.supervisor: expected a process ID, got -7"),
        (
            #""startTime":1"#, #""startTime":-1"#,
            "status.running.startTime: expected an integer from 0 to 18446744073709551615, got -1"
        ),
        (#""seccomp":"standard""#, #""seccomp":"off""#, "status.running.seccomp: unknown value 'off'"),
        (#""seccomp":"standard""#, #""seccomp":"file""#, "status.running.seccomp: unknown value 'file'"),
        (
            #""seccomp":"standard""#, #""seccomp":{"standard":1}"#,
            "status.running.seccomp: unknown value 'standard'"
        ),
        (
            #""seccomp":"standard""#, #""seccomp":{"file":["/p"]}"#,
            "status.running.seccomp.file: expected a string, got a list"
        ),
        (#","seccomp":"standard""#, "", "status.running.seccomp: missing"),
        (#"{"running":"#, #"{"walking":"#, "status: unknown value 'walking'"),
        (
            #"{"running":"#, #"{"created":1,"running":"#,
            "status: expected a string or an object with one field, got an object"
        ),
        (
            #""restarts":0"#, #""restarts":9223372036854775807"#,
            "restarts: expected a number from 0 on, got 9223372036854775807"
        ),
        (#""restarts":0"#, #""restarts":-1"#, "restarts: expected a number from 0 on, got -1"),
        (#""limits":[]"#, #""limits":[{"limit":"m"}]"#, "limits[0].asked: missing"),
        (#""limits":[]"#, #""limits":null"#, "limits: missing"),
    ])
    func `a state that says what cannot be is refused`(old: String, new: String, message: String) throws {
        let running = Self.running.filter { $0 != "\n" }
        _ = try ContainerState(json: Array(running.utf8))
        let changed = running.replacing(old, with: new)
        #expect(changed != running)
        let error = #expect(throws: SpecError.self) { try ContainerState(json: Array(changed.utf8)) }
        #expect(error?.description == message)
    }

    @Test(arguments: [
        (#""schemaVersion":3"#, #""schemaVersion":2"#, "schemaVersion: expected 3, got 2"),
        (#""droppedCapabilities":["ALL"],"#, "", "droppedCapabilities: missing"),
        (
            #""seccomp":{"file":"/p"}"#, #""seccomp":{}"#,
            "seccomp: expected a string or an object with one field, got an object"
        ),
        (#""seccomp":{"file":"/p"}"#, #""seccomp":null"#, "seccomp: missing"),
        (#""umask":23"#, #""umask":512"#, "umask: expected a mask up to 511, got 512"),
        (#""stopSignal":15"#, #""stopSignal":-9"#, "stopSignal: expected a signal from 1 to 64, got -9"),
        (
            #""stopTimeout":-1"#, #""stopTimeout":2147483648"#,
            "stopTimeout: expected seconds from -1 on, got 2147483648"
        ),
        (#""limits":"best-effort""#, #""limits":"none""#, "limits: unknown value 'none'"),
        (#""interval":1"#, #""interval":-1"#, "healthCheck.interval: expected a duration from 0 on, got -1"),
        (
            #""host":4294967295,"count":1"#, #""host":0,"count":0"#,
            "userNamespace.maps[0].count: expected a number from 1 on, got 0"
        ),
        (#""maximumFiles":1000"#, #""maximumFiles":0"#, "log.maximumFiles: expected 1 to 1000 files, got 0"),
    ])
    func `a description that says what cannot be is refused`(old: String, new: String, message: String) {
        let full = String(decoding: Self.fullConfig.json(), as: UTF8.self)
        let changed = full.replacing(old, with: new)
        #expect(changed != full)
        let error = #expect(throws: SpecError.self) { try ContainerConfig(json: Array(changed.utf8)) }
        #expect(error?.description == message)
    }
}
