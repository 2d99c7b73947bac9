import CLinux
import Glibc
import Linux
import SystemPackage

/// What the kernel has logged of processes that it killed for want of memory.
///
/// - Note: Linux admin guide, "printk": /dev/kmsg; mm/oom_kill.c, `dump_oom_summary`.
enum KernelLog {
    /// The last process that was killed in a cgroup.
    ///
    /// - Parameter cgroup: Part of its path that no other has.
    /// - Returns: `nil` where the log cannot be read, or does not tell.
    static func lastKilled(inCgroup cgroup: String) -> LimitVerdict.Victim? {
        // `try?`: only those may read it whom /proc/sys/kernel/dmesg_restrict lets
        let log = try? FileDescriptor.workingDirectory.open("/dev/kmsg", O_RDONLY | O_NONBLOCK)
        guard let log else { return nil }
        defer { log.closeQuietly() }
        var found: LimitVerdict.Victim?
        var record = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = read(log.rawValue, &record, record.count)
            if count < 0 && (errno == EPIPE || errno == EINTR) { continue }  // overwritten meanwhile: the next one
            guard count > 0 else { return found }
            let line = String(decoding: record[..<count], as: UTF8.self)
            if line.contains("oom-kill:"), let victim = victim(in: line, cgroup) { found = victim }
        }
    }

    /// From a line such as `oom-kill:constraint=…,oom_memcg=/apus/limit-1-2,task_memcg=…,task=tail,pid=71,uid=0`.
    static func victim(in line: String, _ cgroup: String) -> LimitVerdict.Victim? {
        let text = line.utf8.prefix { $0 != UInt8(ascii: "\n") }[...]
        guard let summary = behind("oom-kill:", in: Array(text)[...]), behind(cgroup, in: summary) != nil,
            let task = behind(",task=", in: summary)
        else { return nil }
        // The name may have commas in it; it ends before the last `,pid=`.
        var name = task[..<task.startIndex]
        var tail: ArraySlice<UInt8>?
        while let next = behind(",pid=", in: tail ?? task) {
            name = task[..<(next.startIndex - ",pid=".utf8.count)]
            tail = next
        }
        guard let tail else { return nil }
        var victim = LimitVerdict.Victim(name: String(decoding: name, as: UTF8.self))
        // Numbers are those of the machine's own PID namespace, which in another stand for others.
        if isMachinesNamespace {
            victim.pid = pid_t(String(decoding: tail.prefix { $0 != UInt8(ascii: ",") }, as: UTF8.self))
        }
        return victim
    }

    /// The bytes behind the first `mark`.
    private static func behind(_ mark: String, in bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var rest = bytes
        let count = mark.utf8.count
        while rest.count >= count {
            if rest.starts(with: mark.utf8) { return rest.dropFirst(count) }
            rest = rest.dropFirst()
        }
        return nil
    }

    private static var isMachinesNamespace: Bool {
        // PROC_PID_INIT_INO of linux/proc_ns.h
        FileDescriptor.workingDirectory.linkTarget(of: "/proc/self/ns/pid") == "pid:[4026531836]"
    }
}
