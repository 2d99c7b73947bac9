import OCI
import Testing

/// Each has every field that there is, in the order in which they are written.
@Suite struct `Every field is read and written` {
    @Test func `of config.json`() throws {
        try expectRoundTrip(
            Spec.self,
            """
            {"ociVersion":"1.3.0","process":\(process),"root":{"path":"rootfs","readonly":true},"hostname":"swift",
            "domainname":"apodidae","mounts":[{"destination":"/data","type":"bind","source":"/srv/data",
            "options":["rbind","ro"],"uidMappings":[{"containerID":0,"hostID":1000,"size":10}],
            "gidMappings":[{"containerID":0,"hostID":2000,"size":4294967295}]}],"hooks":\(hooks),
            "annotations":{"org.example.a":"1","org.example.b":""},"linux":\(linux)}
            """)
    }

    @Test func `of a process`() throws {
        try expectRoundTrip(Spec.Process.self, process)
    }

    @Test func `of resources`() throws {
        try expectRoundTrip(Spec.Resources.self, resources)
    }

    @Test func `of features`() throws {
        try expectRoundTrip(
            Features.self,
            """
            {"ociVersionMin":"1.0.0","ociVersionMax":"1.3.0","hooks":["prestart"],"mountOptions":["ro","rro"],"linux":{
            "namespaces":["pid"],"capabilities":["CAP_CHOWN"],"cgroup":{"v1":true,"v2":true,"systemd":true,
            "systemdUser":true,"rdma":false},"seccomp":{"enabled":true,"actions":["SCMP_ACT_ALLOW"],
            "operators":["SCMP_CMP_EQ"],"archs":["SCMP_ARCH_X86_64"],"knownFlags":["SECCOMP_FILTER_FLAG_LOG"],
            "supportedFlags":[]},"apparmor":{"enabled":true},"selinux":{"enabled":false},"intelRdt":{"enabled":true,
            "schemata":true,"monitoring":false},"memoryPolicy":{"modes":["MPOL_BIND"],"flags":["MPOL_F_STATIC_NODES"]},
            "mountExtensions":{"idmap":{"enabled":true}},"netDevices":{"enabled":true}},
            "annotations":{"org.example.version":"1"},"potentiallyUnsafeConfigAnnotations":["org.example."]}
            """)
    }

    @Test(arguments: State.Status.allCases)
    func `of the state, which a seccomp listener gets too`(status: State.Status) throws {
        try expectRoundTrip(
            ContainerProcessState.self,
            """
            {"ociVersion":"1.3.0","fds":["seccompFd"],"pid":4422,"metadata":"opaque","state":{"ociVersion":"1.3.0",
            "id":"nest","status":"\(status)","pid":4421,"bundle":"/bundle","annotations":{"key":"value"}}}
            """)
    }

    /// - Parameter text: Its lines are put together.
    private func expectRoundTrip<Part: JSONMappable & Equatable>(_ type: Part.Type, _ text: String) throws {
        let whole = text.split(separator: "\n").joined()
        let part = try Part(json: Array(whole.utf8))
        #expect(String(decoding: part.json(), as: UTF8.self) == whole)
        #expect(try Part(json: part.json()) == part)
    }

    private let process = """
        {"terminal":true,"consoleSize":{"height":25,"width":80},"user":{"uid":1,"gid":2,"umask":18,
        "additionalGids":[3,4294967295],"username":"swift"},"args":["sh","-c",""],"env":["A=1"],"cwd":"/",
        "capabilities":{"bounding":["CAP_CHOWN"],"effective":[],"inheritable":["CAP_KILL"],"permitted":["CAP_SYS_TIME"],
        "ambient":["CAP_NET_RAW"]},"rlimits":[{"type":"RLIMIT_NOFILE","hard":18446744073709551615,"soft":0}],
        "noNewPrivileges":true,"apparmorProfile":"acme","oomScoreAdj":-1000,"scheduler":{"policy":"SCHED_DEADLINE",
        "nice":-20,"priority":99,"flags":["SCHED_FLAG_RECLAIM"],"runtime":10,"deadline":20,"period":30},
        "selinuxLabel":"system_u:system_r:a:s0:c1,c2","ioPriority":{"class":"IOPRIO_CLASS_IDLE","priority":4},
        "execCPUAffinity":{"initial":"7","final":"0-3,7"}}
        """

    private let hooks = """
        {"prestart":[{"path":"/bin/1","args":["1","x"],"env":["K=V"],"timeout":5}],"createRuntime":[{"path":"/bin/2"}],
        "createContainer":[{"path":"/bin/3"}],"startContainer":[{"path":"/bin/4"}],"poststart":[{"path":"/bin/5"}],
        "poststop":[{"path":"/bin/6"}]}
        """

    private let resources = """
        {"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":-1,"access":"r"}],
        "memory":{"limit":536870912,"reservation":1,"swap":-1,"kernel":-1,"kernelTCP":2,"swappiness":100,
        "disableOOMKiller":false,"useHierarchy":true,"checkBeforeUpdate":true},"cpu":{"shares":1024,"quota":-1,"burst":1,
        "period":500000,"realtimeRuntime":950000,"realtimePeriod":1000000,"cpus":"2-3","mems":"0-7","idle":1},
        "pids":{"limit":0},"blockIO":{"weight":10,"leafWeight":65535,"weightDevice":[{"major":8,"minor":0,"weight":500,
        "leafWeight":300}],"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":600}],
        "throttleWriteBpsDevice":[{"major":8,"minor":1,"rate":601}],
        "throttleReadIOPSDevice":[{"major":8,"minor":2,"rate":602}],
        "throttleWriteIOPSDevice":[{"major":8,"minor":3,"rate":603}]},
        "hugepageLimits":[{"pageSize":"2MB","limit":209715200}],"network":{"classID":1048577,
        "priorities":[{"name":"eth0","priority":500}]},"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10000},
        "mlx5_2":{"hcaHandles":0}},"unified":{"hugetlb.1GB.max":"1073741824","io.max":"259:0 rbps=2097152"}}
        """

    private var linux: String {
        """
        {"uidMappings":[{"containerID":0,"hostID":1000,"size":32000}],
        "gidMappings":[{"containerID":0,"hostID":1000,"size":32000}],"sysctl":{"net.ipv4.ip_forward":"1"},
        "resources":\(resources),"cgroupsPath":"/nest/1","namespaces":[\(namespaces)],"devices":[{"path":"/dev/fuse",
        "type":"c","major":10,"minor":229,"fileMode":438,"uid":0,"gid":0}],"netDevices":{"eth1":{"name":"inner"},
        "eth2":{}},"seccomp":\(seccomp),"rootfsPropagation":"rslave","maskedPaths":["/proc/kcore"],
        "readonlyPaths":["/proc/sys"],"mountLabel":"system_u:object_r:a:s0:c715,c811","intelRdt":{"closID":"guaranteed",
        "schemata":["L3:0=ff"],"l3CacheSchema":"L3:0=7f0;1=1f","memBwSchema":"MB:0=20;1=70","enableMonitoring":true,
        "enableCMT":true,"enableMBM":false},"memoryPolicy":{"mode":"MPOL_INTERLEAVE","nodes":"2-3",
        "flags":["MPOL_F_STATIC_NODES"]},"personality":{"domain":"LINUX32","flags":["a"]},
        "timeOffsets":{"boottime":{"secs":-9223372036854775808,"nanosecs":999999999},"monotonic":{"secs":172800}}}
        """
    }

    private var namespaces: String {
        Spec.NamespaceType.allCases.map { #"{"type":"\#($0)","path":"/proc/1/ns/x"}"# }.joined(separator: ",")
    }

    private var seccomp: String {
        let actions = Spec.Seccomp.Action.allCases.map { #"{"names":["a","b"],"action":"\#($0.rawValue)"}"# }
        let arguments = Spec.Seccomp.Comparison.allCases.map {
            #"{"index":5,"value":18446744073709551615,"valueTwo":1,"op":"\#($0.rawValue)"}"#
        }
        return """
            {"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86_64"],
            "flags":["SECCOMP_FILTER_FLAG_LOG"],"listenerPath":"/run/listener.sock","listenerMetadata":"opaque",
            "syscalls":[\(actions.joined(separator: ",")),{"names":["clone"],"action":"SCMP_ACT_ERRNO","errnoRet":1,
            "args":[\(arguments.joined(separator: ","))]}]}
            """
    }
}
