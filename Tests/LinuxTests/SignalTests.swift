import Linux
import Testing

@Suite struct SignalTests {
    @Test(arguments: [
        ("KILL", 9), ("SIGKILL", 9), ("kill", 9), ("sigkill", 9), ("9", 9), ("TERM", 15), ("CLD", 17), ("RTMIN", 34),
        ("SIGRTMIN+3", 37), ("rtmax-1", 63), ("64", 64), ("SIGRTMAX", 64), ("RTMIN+30", 64),
    ])
    func `every way that Docker's users write a signal is understood`(text: String, number: Int32) throws {
        #expect(try Signal(parsing: text).rawValue == number)
    }

    @Test(arguments: [
        "", "SIG", "0", "65", "-1", "NOPE", "RTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN+", "SIG9", "SIGSIGKILL",
    ])
    func `what is no signal is refused`(text: String) {
        #expect(throws: Failure.self) { try Signal(parsing: text) }
    }

    @Test func `every signal reads back from its own description`() throws {
        for number in 1...64 where number != 32 && number != 33 {
            let signal = Signal(rawValue: Int32(number))
            #expect(try Signal(parsing: signal.description) == signal)
        }
        #expect(Signal.kill.description == "SIGKILL")
    }

    @Test func `a set of all but one signal lacks exactly that one`() {
        let set = SignalSet.all.subtracting([.child])
        #expect(!set.contains(.child))
        #expect(set.contains(.terminate))
        #expect(!SignalSet().contains(.terminate))
    }
}
