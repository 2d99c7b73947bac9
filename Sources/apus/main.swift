import Glibc

// `CommandLine.arguments` takes several times as long, and this is on the path of every run.
exit(Program.run((0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0].map { String(cString: $0) } }))
