import FoundationEssentials
import Glibc
import Testing

/// Foreground runs whose container has its runner's own streams: other commands reach the runner all the same.
@Suite struct RunnerStreamTests {
    /// A container in the foreground, removed at its end, that ends with 7 at the first line of its input.
    private func foreground(_ apus: Apus, _ name: String) throws -> RunningProcess {
        let run = try apus.begin(
            apus.runWords(["--rm", "-i", "--name", name], ["sh", "-c", "echo ready; read line; exit 7"]))
        try run.waitForOutput("ready")
        return run
    }

    /// Waits until a command sleeps for a packet of a socket, or has ended.
    private func waitUntilConnected(_ process: RunningProcess) throws {
        while !process.hasEnded {
            // `try?`: what has just ended sleeps nowhere
            let place = try? String(contentsOfFile: "/proc/\(process.pid)/wchan", encoding: .utf8)
            if place == "__skb_wait_for_more_packets" { return }
            usleep(2000)
        }
    }

    @Test(arguments: Caller.available)
    func `wait tells the code of a container that runs in the foreground`(caller: Caller) throws {
        try withApus(caller) { apus in
            for _ in 0..<5 {
                let run = try foreground(apus, "front")
                // Before or after the runner has recorded that it runs.
                let waiting = try apus.begin("wait", "front")
                let listening = try apus.begin("wait", "front")
                for process in [waiting, listening] { try waitUntilConnected(process) }
                try run.write("\n")
                #expect(try run.wait().status == 7)
                #expect(try waiting.wait() == .printed("7\n"))
                #expect(try listening.wait() == .printed("7\n"))
            }
        }
    }

    @Test func `attaching to a container in the foreground says whose its streams are`() throws {
        try withApus(.own) { apus in
            let run = try foreground(apus, "front")
            let waiting = try apus.begin("wait", "front")
            try waitUntilConnected(waiting)
            let attached = try apus("attach", "front")
            #expect(attached.status == 1)
            #expect(attached.isOneLineNaming("its streams are those of the command that runs it"))
            try run.write("\n")
            #expect(try waiting.wait() == .printed("7\n"))
            #expect(try run.wait().status == 7)
        }
    }

    @Test(arguments: Caller.available)
    func `a container in the foreground whose record is damaged is removed at once`(caller: Caller) throws {
        try withApus(caller) { apus in
            let run = try foreground(apus, "front")
            // Once the runner has recorded it.
            while try apus("ps", "-q").output.isEmpty { usleep(2000) }
            let id = try apus.succeed("ps", "-q", "--no-trunc")
            try apus.replace("\(apus.data)/containers/\(id)/state.json", "{")
            let removing = try apus.begin("rm", "-f", id)
            #expect(try removing.wait(seconds: 20).status == 0)
            #expect(try run.wait(seconds: 20).status == 137)
            #expect(try apus("ps", "-aq") == .printed(""))
        }
    }
}
