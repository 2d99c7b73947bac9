import Containers
import Linux

/// Combinations of flags that contradict each other.
extension RunCommandLine {
    static func check(_ request: RunRequest, _ verb: Verb) throws(Failure) {
        let config = request.config
        if request.report.isWanted, request.detach || config.tty || !request.signalProxy {
            throw conflict(
                verb, "--report", "is written by 'apus run' itself: not with --detach, --tty or --sig-proxy=false")
        }
        try request.report.check(verb.rawValue)
        try checkLife(config, verb)
        try checkNames(config, verb)
        try checkMemory(config.resources, verb)
        try checkCPU(config.resources, verb)
        try checkMounts(config, verb)
        try checkJob(request, verb)
        if case .directory = config.root, config.storage == .copy {
            throw conflict(verb, "--storage copy", "is about a throw-away layer; add ':O' to the directory of --rootfs")
        }
        if config.log.driver != .jsonFile, config.log.maximumSize != nil || config.log.maximumFiles != nil {
            throw conflict(verb, "--log-opt", "only goes with --log-driver json-file")
        }
        if config.log.driver == .passthrough, config.tty {
            throw conflict(verb, "--log-driver passthrough", "does not go with --tty")
        }
    }

    private static func checkLife(_ config: ContainerConfig, _ verb: Verb) throws(Failure) {
        if config.removeAtEnd, config.restart != .no {
            throw conflict(verb, "--rm", "does not go with --restart")
        }
        if config.initProcess, config.pid != .private {
            throw conflict(verb, "--init", "needs a PID namespace of the container's own")
        }
    }

    private static func checkNames(_ config: ContainerConfig, _ verb: Verb) throws(Failure) {
        if config.hostname != nil, config.uts != .private {
            throw conflict(verb, "--hostname", "needs a UTS namespace of the container's own, not --uts")
        }
        if config.domainname != nil, config.uts != .private {
            throw conflict(verb, "--domainname", "needs a UTS namespace of the container's own, not --uts")
        }
        if !config.network.isPrivate || config.network == .none, !config.ports.isEmpty || config.publishAll {
            throw conflict(verb, "--publish", "needs a network of the container's own, not --network none or another's")
        }
        try checkEgress(config, verb)
        guard case .container = config.network else { return }
        if !config.extraHosts.isEmpty {
            throw conflict(verb, "--add-host", "does not go with the network of another container")
        }
        if config.dns != DNSConfiguration() {
            throw conflict(verb, "--dns", "does not go with the network of another container")
        }
    }

    private static func checkEgress(_ config: ContainerConfig, _ verb: Verb) throws(Failure) {
        guard config.egress != nil || config.networkRate != nil else { return }
        let flag = config.egress == nil ? "--network-rate" : "--egress"
        if !config.network.isPrivate || config.network == .none {
            throw conflict(verb, flag, "needs a network of the container's own, not --network none or another's")
        }
        if config.privileged || !Set(config.addedCapabilities).isDisjoint(with: ["ALL", "CAP_NET_ADMIN"]) {
            throw conflict(
                verb, flag, "could be undone with NET_ADMIN: does not go with --privileged and that capability")
        }
    }

    private static func checkMemory(_ limits: ResourceLimits, _ verb: Verb) throws(Failure) {
        if let swap = limits.memorySwap {
            guard let memory = limits.memory else {
                throw conflict(verb, "--memory-swap", "counts memory and swap together, and so needs --memory")
            }
            if swap > 0, swap < memory {
                throw conflict(
                    verb, "--memory-swap", "counts memory and swap together, and so cannot be below --memory")
            }
        }
        if let reservation = limits.memoryReservation, let memory = limits.memory, reservation > memory {
            throw conflict(verb, "--memory-reservation", "above --memory")
        }
    }

    private static func checkCPU(_ limits: ResourceLimits, _ verb: Verb) throws(Failure) {
        if limits.nanoCPUs != nil, limits.cpuQuota != nil || limits.cpuPeriod != nil {
            throw conflict(verb, "--cpus", "says the same as --cpu-quota and --cpu-period; give one")
        }
    }

    private static func checkMounts(_ config: ContainerConfig, _ verb: Verb) throws(Failure) {
        for (index, mount) in config.mounts.enumerated()
        where config.mounts[..<index].contains(where: { $0.destination == mount.destination }) {
            throw Failure(verb.rawValue, "'\(mount.destination)'", "two mounts onto the same place")
        }
    }
}
