import CLinux
import Glibc
import Linux
import OCI

extension Spec.Scheduler {
    /// - Note: linux/sched.h; there is no policy behind `SCHED_ISO`, which the kernel refuses.
    static func policy(named name: String) -> UInt32? {
        switch name {
        case "SCHED_OTHER": 0
        case "SCHED_FIFO": 1
        case "SCHED_RR": 2
        case "SCHED_BATCH": 3
        case "SCHED_ISO": 4
        case "SCHED_IDLE": 5
        case "SCHED_DEADLINE": 6
        default: nil
        }
    }

    static func flag(named name: String) -> UInt64? {
        switch name {
        case "SCHED_FLAG_RESET_ON_FORK": 0x01
        case "SCHED_FLAG_RECLAIM": 0x02
        case "SCHED_FLAG_DL_OVERRUN": 0x04
        case "SCHED_FLAG_KEEP_POLICY": 0x08
        case "SCHED_FLAG_KEEP_PARAMS": 0x10
        case "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20
        case "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40
        default: nil
        }
    }

    /// Gives this process that policy.
    func apply() throws(Failure) {
        guard let number = Self.policy(named: policy) else { throw Failure("set scheduler", policy, "unknown policy") }
        var attributes = SchedulingAttributes(
            policy: number, nice: nice ?? 0, priority: UInt32(clamping: priority ?? 0), runtime: runtime ?? 0,
            deadline: deadline ?? 0, period: period ?? 0)
        for name in flags ?? [] {
            guard let flag = Self.flag(named: name) else { throw Failure("set scheduler", name, "unknown flag") }
            attributes.flags |= flag
        }
        let remedy =
            "more of the CPU than others needs CAP_SYS_NICE, and in cgroup v1 real-time needs cpu.rt_runtime_us"
        try step("set scheduler", policy, remedy: remedy) { () throws(SystemCallError) in
            try CurrentProcess.schedule(attributes)
        }
    }
}

extension Spec.IOPriority {
    static func number(ofClass name: String) -> Int32? {
        switch name {
        case "IOPRIO_CLASS_RT": 1
        case "IOPRIO_CLASS_BE": 2
        case "IOPRIO_CLASS_IDLE": 3
        default: nil
        }
    }

    /// Gives this process that priority.
    func apply() throws(Failure) {
        guard let kind = Self.number(ofClass: self.class) else {
            throw Failure("set I/O priority", self.class, "unknown class")
        }
        let level = Int32(clamping: priority ?? 0)
        try step("set I/O priority", "\(self.class) \(level)", remedy: "the real-time class needs CAP_SYS_NICE") {
            () throws(SystemCallError) in
            try CurrentProcess.setIOPriority(kind: kind, level: level)
        }
    }
}

extension Spec.MemoryPolicy {
    static func number(ofMode name: String) -> Int32? {
        switch name {
        case "MPOL_DEFAULT": 0
        case "MPOL_PREFERRED": 1
        case "MPOL_BIND": 2
        case "MPOL_INTERLEAVE": 3
        case "MPOL_LOCAL": 4
        case "MPOL_PREFERRED_MANY": 5
        case "MPOL_WEIGHTED_INTERLEAVE": 6
        default: nil
        }
    }

    static func flag(named name: String) -> Int32? {
        switch name {
        case "MPOL_F_NUMA_BALANCING": 1 << 13
        case "MPOL_F_RELATIVE_NODES": 1 << 14
        case "MPOL_F_STATIC_NODES": 1 << 15
        default: nil
        }
    }

    /// Gives this process that policy.
    func apply() throws(Failure) {
        guard var number = Self.number(ofMode: mode) else { throw Failure("set memory policy", mode, "unknown mode") }
        for name in flags ?? [] {
            guard let flag = Self.flag(named: name) else { throw Failure("set memory policy", name, "unknown flag") }
            number |= flag
        }
        let text = nodes ?? ""
        let list = NumberList(text)
        guard list != nil || text.isEmpty else { throw Failure("set memory policy", text, "not a list of nodes") }
        let remedy = "which nodes there are says /sys/devices/system/node/online, which modes set_mempolicy(2)"
        try step("set memory policy", "\(mode) \(text)", remedy: remedy) { () throws(SystemCallError) in
            try CurrentProcess.setMemoryPolicy(number, nodes: list)
        }
    }
}

extension Spec.CPUAffinity {
    /// Moves this process to the CPUs of `list`, one of the two.
    static func apply(_ list: String?) throws(Failure) {
        guard let list, !list.isEmpty else { return }
        guard let processors = NumberList(list) else { throw Failure("set CPU affinity", list, "not a list of CPUs") }
        try step("set CPU affinity", list) { () throws(SystemCallError) in
            try CurrentProcess.setAffinity(processors)
        }
    }
}
