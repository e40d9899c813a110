# Outside libraries, all from Debian 12 packages (tools/deps lists them). A room names the ones it
# uses in LIBS; tools/layers.py knows which room may include which library's headers.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS context json url)
find_package(RocksDB CONFIG REQUIRED)
find_package(CapnProto CONFIG REQUIRED)
find_package(GTest REQUIRED)
find_package(rapidcheck CONFIG REQUIRED)
find_package(benchmark REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(pugixml REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)

find_library(DRUMLIN_ISAL isal REQUIRED)
find_library(DRUMLIN_XXHASH xxhash REQUIRED)
