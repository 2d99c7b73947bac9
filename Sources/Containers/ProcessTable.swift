import CLinux
import Glibc
public import Linux
import Sandbox
import SystemPackage

/// What `top` shows: column titles, and a row for each process.
public struct ProcessTable: Sendable, Equatable {
    public let titles: [String]
    public let rows: [[String]]
}

extension ProcessTable {
    /// The columns of `ps -ef`, which Docker shows, straight from /proc.
    public init(_ pids: [pid_t]) {
        let clock = ProcessClock()
        let users = UserNames()
        titles = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
        rows = pids.compactMap { pid in
            guard let status = ProcessStatus(pid) else { return nil }  // it has ended meanwhile
            let ticks = status.userTime + status.systemTime
            return [
                users.name(ofOwnerOf: pid), "\(pid)", "\(status.parent)",
                "\(clock.percentage(ticks, since: status.startTime))", clock.start(status.startTime),
                TerminalName.of(status.terminal), clock.duration(ticks), Self.command(pid, status),
            ]
        }
    }

    /// The arguments, or the name in brackets where there are none.
    private static func command(_ pid: pid_t, _ status: ProcessStatus) -> String {
        // A zombie and a process that has ended have no arguments.
        let bytes = FileDescriptor.contentsIfReadable(of: "/proc/\(pid)/cmdline", limit: 1 << 20)
        guard var bytes, !bytes.isEmpty else {
            return status.state == "Z" ? "[\(status.command)] <defunct>" : "[\(status.command)]"
        }
        while bytes.last == 0 { bytes.removeLast() }
        return String(decoding: bytes.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
    }

    /// The rows of `ps OPTIONS` on this machine whose `PID` column names one of `pids`.
    ///
    /// - Throws: When there is no `ps`, when it refuses the options, or when they leave out the PID.
    public init(_ pids: [pid_t], psOptions: [String]) throws(Failure) {
        guard let path = Helper.find("ps") else {
            throw Failure("run", "ps", "not found on this machine", remedy: "install procps, or give no ps options")
        }
        let (status, output) = try Helper.output(of: path, ["ps"] + psOptions, from: [STDOUT_FILENO, STDERR_FILENO])
        let text = String(decoding: output, as: UTF8.self)
        guard status == .exited(code: 0) else {
            let line = text.split(separator: "\n").first.map(String.init) ?? "ended with \(status.code)"
            throw Failure("run", "ps \(psOptions.joined(separator: " "))", line)
        }
        self = try Self.filtered(text, pids: Set(pids))
    }

    /// - Throws: When the header has no `PID`.
    static func filtered(_ text: String, pids: Set<pid_t>) throws(Failure) -> ProcessTable {
        let lines = text.split(separator: "\n")
        let titles = (lines.first ?? "").split(separator: " ").map(String.init)
        guard let column = titles.firstIndex(of: "PID") else {
            throw Failure(
                "run", "ps", "its output has no PID column", remedy: "add one to the ps options, as '-o pid,…'")
        }
        var rows: [[String]] = []
        for line in lines.dropFirst() {
            // The last column takes the rest of the line, with its spaces.
            let fields = line.split(separator: " ", maxSplits: titles.count - 1).map { String($0.drop { $0 == " " }) }
            if fields.count > column, let pid = pid_t(fields[column]), pids.contains(pid) { rows.append(fields) }
        }
        return ProcessTable(titles: titles, rows: rows)
    }

    /// Lines with each column as wide as Docker makes it: at least 20, three spaces apart.
    public var lines: [String] {
        let table = [titles] + rows
        let widths = titles.indices.map { column in
            max(20, (table.map { $0.count > column ? $0[column].count + 3 : 0 }.max() ?? 0))
        }
        return table.map { row in
            row.enumerated().map { column, text in
                column == row.count - 1
                    ? text : text + String(repeating: " ", count: max(0, widths[column] - text.count))
            }.joined()
        }
    }
}

/// Times of processes, from the kernel's clock ticks.
struct ProcessClock {
    private let ticksPerSecond = UInt64(max(1, sysconf(CInt(_SC_CLK_TCK))))
    /// Seconds since 1970.
    private let bootTime: UInt64
    /// Seconds since 1970.
    private let now = UInt64(time(nil))

    init() {
        // Where /proc/stat is hidden all processes seem to have started in 1970, which harms nobody.
        let bytes = FileDescriptor.contentsIfReadable(of: "/proc/stat", limit: 4 << 20)
        let line = (bytes ?? []).split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "btime ".utf8) }
        bootTime = line.flatMap { UInt64(String(decoding: $0.dropFirst(6), as: UTF8.self)) } ?? 0
    }

    /// The share of one processor since the start, in percent, 0 to 99 as `ps` has it.
    func percentage(_ ticks: UInt64, since start: UInt64) -> UInt64 {
        let elapsed = now &- bootTime &- start / ticksPerSecond
        return elapsed == 0 || elapsed > now ? 0 : min(99, ticks * 100 / ticksPerSecond / elapsed)
    }

    /// `HH:MM` within the last day, else `Mmm02`, else the year.
    func start(_ ticks: UInt64) -> String {
        let seconds = bootTime + ticks / ticksPerSecond
        var fields = Self.local(seconds)
        let today = Self.local(now)
        let format =
            fields.tm_year == today.tm_year && fields.tm_yday == today.tm_yday
            ? "%H:%M" : fields.tm_year == today.tm_year ? "%b%d" : "%Y"
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            buffer[strftime(buffer.baseAddress!, buffer.count - 1, format, &fields)] = 0
            return String(cString: buffer.baseAddress!)
        }
    }

    /// `HH:MM:SS` of processor time.
    func duration(_ ticks: UInt64) -> String {
        let seconds = ticks / ticksPerSecond
        return [seconds / 3600, seconds / 60 % 60, seconds % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
            .joined(separator: ":")
    }

    private static func local(_ seconds: UInt64) -> tm {
        var seconds = time_t(seconds)
        var fields = tm()
        localtime_r(&seconds, &fields)
        return fields
    }
}

/// Names of this machine's users.
struct UserNames {
    private let database: UserDatabase

    init() {
        // Without a readable file there are numbers instead of names.
        let bytes = FileDescriptor.contentsIfReadable(of: "/etc/passwd", limit: 4 << 20)
        database = UserDatabase(passwd: bytes ?? [], group: [])
    }

    /// The owner's name in at most eight characters as `ps` cuts it, or number.
    func name(ofOwnerOf pid: pid_t) -> String {
        let here = FileDescriptor.workingDirectory
        // `try?`: a process that has ended has no owner any more
        guard let status = try? here.status(of: "/proc/\(pid)") else { return "?" }  // `try?`: as just said
        let name = (try? database.resolve("\(status.st_uid)"))?.name ?? ""  // `try?`: then it is shown as a number
        if name.isEmpty { return "\(status.st_uid)" }
        return name.count > 8 ? "\(name.prefix(7))+" : name
    }
}

/// Terminals by their device numbers.
enum TerminalName {
    /// `pts/3`, `tty1`, or `?` for none.
    ///
    /// - Note: proc_pid_stat(5), `tty_nr`; the kernel's devices.txt: 4 is tty, 136 to 143 are pts.
    static func of(_ device: Int32) -> String {
        let number = UInt32(bitPattern: device)
        let major = number >> 8 & 0xfff
        let minor = number & 0xff | number >> 12 & 0xfff00
        switch major {
        case 136...143: return "pts/\((major - 136) << 20 | minor)"
        case 4: return minor < 64 ? "tty\(minor)" : "ttyS\(minor - 64)"
        default: return "?"
        }
    }
}
