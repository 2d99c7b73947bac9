import Glibc
public import Linux

extension ContainerStore {
    /// Waits until a container's health check has passed.
    ///
    /// - Parameters:
    ///   - name: How the user knows it, if not by its ID.
    ///   - timeout: In nanoseconds; without end if `nil`.
    /// - Throws: With exit code 1, when it turns out not to work, has ended, or takes too long; it is left as it is.
    public func waitUntilHealthy(_ id: String, name: String?, timeout: Int64?) throws(Failure) {
        let start = Clock.monotonic()
        while true {
            let state = try healthState(id)
            let reason: String?
            switch state?.status {
            case nil: reason = "it has ended, and was removed, before it was healthy"
            case .exited(let ending)?: reason = "it ended with status \(ending.exitCode) before it was healthy"
            case .created?, .running?:
                switch state?.health?.status {
                case .healthy?: return
                case .unhealthy?: reason = "it is unhealthy"
                case .starting?, nil:
                    let isOver = timeout.map { Clock.monotonic() - start >= UInt64($0) } ?? false
                    reason = isOver ? "not healthy within \(Wording.seconds(timeout ?? 0))" : nil
                }
            }
            if let reason {
                throw Failure(
                    "wait for container", name ?? String(id.prefix(12)), reason + Self.lastCheck(state),
                    remedy: state.map { "see 'apus logs \($0.name)'" }, exitCode: 1)
            }
            poll(nil, 0, 20)
        }
    }

    private func healthState(_ id: String) throws(Failure) -> ContainerState? {
        guard directory.has("containers/\(id)") else { return nil }
        do throws(Failure) {
            let container = try open(id: id)
            defer { container.close() }
            return try container.loadStateIfPresent()
        } catch {
            guard directory.has("containers/\(id)") else { return nil }
            throw error
        }
    }

    private static func lastCheck(_ state: ContainerState?) -> String {
        guard let check = state?.health?.log.last else { return "" }
        let status = check.exitCode < 0 ? "" : " (status \(check.exitCode))"
        return "; its last check\(status): \(check.output.split(separator: "\n").joined(separator: " | "))"
    }
}
