#include <cstdio>

int main() {
  std::puts("r1eval 0.1.0");
  return 0;
}
