import CLinux
import Containers
import Glibc
import Images
import Linux
import OCI
import SystemPackage

/// A stage failed in its process, which has said why.
public struct StageFailed: Error {
    public let status: Int32
}

/// The processes that build stages: one each, as many at once as there are processors.
final class StageProcesses {
    private let plan: StagePlan
    private let build: (Int, [Int: BuildState]) throws -> BuildState
    private var done: [Int: BuildState] = [:]
    private var running: [(number: Int, process: ProcessHandle, answer: FileDescriptor)] = []

    init(plan: StagePlan, _ build: @escaping (Int, [Int: BuildState]) throws -> BuildState) {
        self.plan = plan
        self.build = build
    }

    /// Builds all that is needed, and returns what the target has become.
    func run() throws -> BuildState {
        let limit = max(2, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
        do {
            while true {
                if let state = done[plan.target] { return state }
                for number in plan.needed where running.count < limit && isReady(number) { try start(number) }
                try takeNext()
            }
        } catch {
            end()
            throw error
        }
    }

    private func isReady(_ number: Int) -> Bool {
        done[number] == nil && !running.contains { $0.number == number }
            && (plan.needs[number] ?? []).allSatisfy { done[$0] != nil }
    }

    private func start(_ number: Int) throws {
        let (read, write) = try FileDescriptor.makePipe()
        guard let process = try Clone.clone() else { work(number, write) }
        write.closeQuietly()
        running.append((number, process, read))
    }

    /// In the child.
    private func work(_ number: Int, _ answer: FileDescriptor) -> Never {
        do {
            try CurrentProcess.dieWithParent()
            let state = try build(number, done)
            try answer.writeFully(state.json())
            CurrentProcess.exitNow(0)
        } catch let error as BuildError {
            Report.line("\(error)")
            CurrentProcess.exitNow(error.exitCode)
        } catch {
            Report.line("\(error)")
            CurrentProcess.exitNow((error as? Failure)?.exitCode ?? 125)
        }
    }

    /// Waits for the end of one stage.
    private func takeNext() throws {
        var entries = running.map { pollfd(fd: $0.answer.rawValue, events: Int16(POLLIN), revents: 0) }
        while poll(&entries, nfds_t(entries.count), -1) < 0 {
            guard errno == EINTR else { throw SystemCallError("poll", "", Errno(rawValue: errno)) }
        }
        guard let index = entries.firstIndex(where: { $0.revents != 0 }) else { return }
        let (number, process, answer) = running.remove(at: index)
        defer {
            answer.closeQuietly()
            process.pidfd.closeQuietly()
        }
        let bytes = try answer.readAll(limit: 16 << 20)
        let status = try process.reap()
        guard case .exited(code: 0)? = status else {
            if case .signaled(let signal, _)? = status {
                throw Failure("build", "stage \(number)", "its process was killed by signal \(signal)")
            }
            throw StageFailed(status: status?.code ?? 125)
        }
        do throws(SpecError) {
            done[number] = try BuildState(json: bytes)
        } catch {
            throw Failure("build", "stage \(number)", "\(error)")
        }
    }

    /// Asks the others to end, which removes what they have not finished.
    private func end() {
        for (_, process, answer) in running {
            _ = try? process.send(SIGTERM)  // `try?`: it has ended, which is what is wanted
            _ = try? process.reap()  // `try?`: as above
            process.pidfd.closeQuietly()
            answer.closeQuietly()
        }
        running = []
    }
}
