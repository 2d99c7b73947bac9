import Glibc
import Linux
import OCI

/// `process`: config.md, "Process", "POSIX process", "Linux Process" and "User".
extension SpecCheck {
    /// - Parameter path: The place of the process in the JSON, empty where it is the whole.
    mutating func examine(_ process: Spec.Process, at path: String) throws(SpecError) -> Spec.Process {
        func place(_ field: String) -> String { path.isEmpty ? field : "\(path).\(field)" }
        var process = process
        guard Self.isAbsolute(process.cwd) else {
            throw SpecError(path: place("cwd"), reason: "'\(process.cwd)' is not an absolute path")
        }
        guard let program = process.args?.first, !program.isEmpty else {
            throw SpecError(path: place("args"), reason: "there must be at least the program")
        }
        try checkUser(process.user, at: place("user"))
        try checkEnvironment(process.env ?? [], at: place("env"))
        try checkRlimits(process.rlimits ?? [], at: place("rlimits"))
        process.capabilities = granted(process.capabilities ?? Spec.Capabilities())
        try checkLabels(process, place)
        if let score = process.oomScoreAdj, !(-1000...1000).contains(score) {
            try refuse(place("oomScoreAdj"), "\(score) is not -1000 to 1000")
        }
        if let scheduler = process.scheduler { try checkScheduler(scheduler, at: place("scheduler")) }
        if let priority = process.ioPriority { try checkIOPriority(priority, at: place("ioPriority")) }
        if let affinity = process.execCPUAffinity { try checkAffinity(affinity, at: place("execCPUAffinity")) }
        return process
    }

    private func checkUser(_ user: Spec.User, at path: String) throws(SpecError) {
        if let umask = user.umask, umask > 0o777 { try refuse("\(path).umask", "\(umask) is more than 511 (0777)") }
        // The kernel's own word for "leave it".
        if user.uid == .max { try refuse("\(path).uid", "\(user.uid) is no ID") }
        if user.gid == .max { try refuse("\(path).gid", "\(user.gid) is no ID") }
        guard spec.makes(.user) else { return }
        try checkMapped(user.uid, spec.linux?.uidMappings, at: "\(path).uid")
        try checkMapped(user.gid, spec.linux?.gidMappings, at: "\(path).gid")
        let mapsOwnAlone = geteuid() != 0 && IDMaps.isOwnIDAlone(spec.linux?.gidMappings ?? [], id: getegid())
        if mapsOwnAlone, user.additionalGids?.isEmpty == false {
            try refuse("\(path).additionalGids", "who maps but one group ID may set no others (setgroups is denied)")
        }
        for (index, gid) in (user.additionalGids ?? []).enumerated() {
            try checkMapped(gid, spec.linux?.gidMappings, at: "\(path).additionalGids[\(index)]")
        }
    }

    private func checkMapped(_ id: UInt32, _ maps: [Spec.IDMapping]?, at path: String) throws(SpecError) {
        guard let maps, !maps.isEmpty else { return }  // which is refused by its own name
        for map in maps where id >= map.containerID && id - map.containerID < map.size { return }
        try refuse(path, "\(id) is not in the ID mappings of the container's user namespace")
    }

    private func checkEnvironment(_ variables: [String], at path: String) throws(SpecError) {
        for (index, variable) in variables.enumerated() where !variable.utf8.dropFirst().contains(UInt8(ascii: "=")) {
            try refuse("\(path)[\(index)]", "'\(variable)' is not NAME=value")
        }
    }

    private func checkRlimits(_ limits: [Spec.Rlimit], at path: String) throws(SpecError) {
        var seen: UInt32 = 0
        for (index, limit) in limits.enumerated() {
            guard let number = Rlimits.resource(named: limit.type) else {
                return try refuse("\(path)[\(index)].type", "'\(limit.type)' is not a limit of this kernel")
            }
            guard seen & (1 << UInt32(number)) == 0 else {
                return try refuse("\(path)[\(index)].type", "\(limit.type) is there twice")
            }
            seen |= 1 << UInt32(number)
            guard limit.soft <= limit.hard else {
                return try refuse("\(path)[\(index)].soft", "\(limit.soft) is more than the hard limit, \(limit.hard)")
            }
        }
    }

    // MARK: Rights

    /// The sets as far as they can be granted: what this kernel does not have, or the caller has not got to give, is
    /// warned about and left out. A set that is not named is empty.
    private mutating func granted(_ asked: Spec.Capabilities) -> Spec.Capabilities {
        // A new user namespace begins with all of them.
        // `try?`: where the caller's own sets cannot be read, the kernel itself will refuse what it must
        let available = ownsUserNamespace ? nil : try? Capabilities.effective()
        var refused = CapabilitySet()
        var unknown: [String] = []
        func granted(_ names: [String]?) -> [String] {
            guard let names, !names.isEmpty else { return [] }
            let read = CapabilitySet.reading(names)
            for name in read.unknown where !unknown.contains(name) { unknown.append(name) }
            guard let available, !read.set.isSubset(of: available) else {
                return read.unknown.isEmpty ? names : read.set.names
            }
            refused.formUnion(read.set.subtracting(available))
            return read.set.intersection(available).names
        }
        var result = Spec.Capabilities(
            bounding: granted(asked.bounding), effective: granted(asked.effective),
            inheritable: granted(asked.inheritable), permitted: granted(asked.permitted),
            ambient: granted(asked.ambient))
        // capabilities(7): only what is permitted and inheritable can be ambient. Engines name more, and mean that.
        if let ambient = result.ambient, !ambient.isEmpty {
            let possible = CapabilitySet.reading(result.permitted ?? []).set
                .intersection(CapabilitySet.reading(result.inheritable ?? []).set)
            result.ambient = CapabilitySet.reading(ambient).set.intersection(possible).names
        }
        for name in unknown { warn("capability '\(name)' is unknown to this kernel, and left out") }
        if !refused.isEmpty {
            warn("not granted, as the caller does not have it: \(refused.names.joined(separator: ", "))")
        }
        return result
    }

    private func checkLabels(_ process: Spec.Process, _ place: (String) -> String) throws(SpecError) {
        if let profile = process.apparmorProfile, !profile.isEmpty, profile != "unconfined",
            !SecurityModules.hasAppArmor
        {
            try refuse(place("apparmorProfile"), "'\(profile)' cannot act: this kernel has AppArmor not enabled")
        }
        if let label = process.selinuxLabel, !label.isEmpty, !SecurityModules.hasSELinux {
            try refuse(place("selinuxLabel"), "'\(label)' cannot act: this kernel has SELinux not enabled")
        }
    }

    // MARK: Scheduling

    private func checkScheduler(_ scheduler: Spec.Scheduler, at path: String) throws(SpecError) {
        guard let policy = Spec.Scheduler.policy(named: scheduler.policy) else {
            return try refuse("\(path).policy", "'\(scheduler.policy)' is not a policy of Linux")
        }
        if let nice = scheduler.nice, !(-20...19).contains(nice) {
            try refuse("\(path).nice", "\(nice) is not -20 to 19")
        }
        let isRealTime = policy == 1 || policy == 2
        if let priority = scheduler.priority, priority != 0, !isRealTime {
            try refuse("\(path).priority", "only SCHED_FIFO and SCHED_RR have one")
        }
        if isRealTime, !(1...99).contains(scheduler.priority ?? 0) {
            try refuse("\(path).priority", "\(scheduler.priority ?? 0) is not 1 to 99, as \(scheduler.policy) wants")
        }
        for (index, name) in (scheduler.flags ?? []).enumerated() where Spec.Scheduler.flag(named: name) == nil {
            try refuse("\(path).flags[\(index)]", "'\(name)' is not a flag of sched_setattr(2)")
        }
        guard scheduler.policy != "SCHED_DEADLINE" else { return }
        for (value, field) in [
            (scheduler.runtime, "runtime"), (scheduler.deadline, "deadline"), (scheduler.period, "period"),
        ] where (value ?? 0) != 0 {
            try refuse("\(path).\(field)", "only SCHED_DEADLINE has one")
        }
    }

    private func checkIOPriority(_ priority: Spec.IOPriority, at path: String) throws(SpecError) {
        guard Spec.IOPriority.number(ofClass: priority.class) != nil else {
            return try refuse("\(path).class", "'\(priority.class)' is not a class of ioprio_set(2)")
        }
        if let level = priority.priority, !(0...7).contains(level) {
            try refuse("\(path).priority", "\(level) is not 0 to 7")
        }
    }

    private func checkAffinity(_ affinity: Spec.CPUAffinity, at path: String) throws(SpecError) {
        for (list, field) in [(affinity.initial, "initial"), (affinity.final, "final")] {
            guard let list, !list.isEmpty, NumberList(list) == nil else { continue }
            try refuse("\(path).\(field)", "'\(list)' is not a list of CPUs such as 0-3,7")
        }
    }
}
