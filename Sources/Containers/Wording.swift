import Linux

/// How numbers read to a user.
enum Wording {
    /// `90s`, `0.2s`.
    static func seconds(_ nanoseconds: Int64) -> String {
        let seconds = Double(nanoseconds) / 1_000_000_000
        return seconds == seconds.rounded() ? "\(Int(seconds))s" : "\(seconds)s"
    }
}

/// How parts of a config read to a user.
extension ContainerConfig {
    /// The `--timeout`: `90s`.
    var timeoutText: String { Wording.seconds(timeout ?? 0) }

    /// ` (limit 256 MiB)`, or nothing without a limit.
    var memoryLimitText: String {
        guard let memory = resources.memory, memory > 0 else { return "" }
        return memory % (1 << 20) == 0 ? " (limit \(memory >> 20) MiB)" : " (limit \(memory) bytes)"
    }
}

extension RestartPolicy {
    /// Whether a container that ended by itself is to be started again.
    ///
    /// - Parameter restarts: How often that was done already.
    func wantsRestart(after exitCode: Int32, restarts: Int) -> Bool {
        switch self {
        case .no: false
        case .always, .unlessStopped: true
        case .onFailure(let retries): exitCode != 0 && (retries == 0 || restarts < retries)
        }
    }
}
