import Containers
import Flags
import Linux
import OCI
import Testing

@Suite struct `the command line of run` {
}
