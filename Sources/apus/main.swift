import Containers
import FoundationEssentials
import Glibc
import Linux

var config = ContainerConfig()
var args = Array(CommandLine.arguments.dropFirst(2))
while let a = args.first, a.hasPrefix("-") {
    args.removeFirst()
    switch a {
    case "--rm": config.autoRemove = true
    case "-t": config.terminal = true
    case "-i": config.interactive = true
    case "--init": config.usesInit = true
    case "--rootfs":
        let d = args.removeFirst()
        config.root = d.hasSuffix(":O") ? .overlay(String(d.dropLast(2))) : .directory(d)
    case "--name": config.name = args.removeFirst()
    default: fatalError(a)
    }
}
if args.first == "@host" {
    config.root = .host
    args.removeFirst()
}
config.command = args
do {
    let store = try ContainerStore()
    for problem in store.sweep() { Report.line("\(problem)") }
    let new = try store.make(config)
    let supervisor = try store.supervise(new, attachment: config.autoRemove ? .inherited : .relayed)
    exit(try supervisor.run(removeIfNotStarted: true))
} catch {
    Report.line("\(error)")
    exit((error as? Failure)?.exitCode ?? 125)
}
